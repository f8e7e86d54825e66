# From a run directory to a first plot of your own: Rscript read.R RUN [PLOT.png]. Base R alone; jsonlite reads the turns where it is there.
arguments <- commandArgs(trailingOnly = TRUE)
run <- arguments[1]
plot_file <- if (length(arguments) > 1) arguments[2] else "plot.png"

# A field of a JSON text that holds plain values or a list of numbers; enough for the header of a safetensors file.
field <- function(text, pattern) regmatches(text, regexec(pattern, text))[[1]][2]
numbers <- function(text) as.numeric(strsplit(text, ",")[[1]])

# A tensor as an array whose axes are in the order of the file. bf16 is the upper half of a float32.
read_tensor <- function(path, name) {
  file <- file(path, "rb")
  on.exit(close(file))
  size <- sum(as.integer(readBin(file, "raw", 8)) * 256^(0:7))
  header <- rawToChar(readBin(file, "raw", size))
  entry <- field(header, sprintf('"%s":\\{([^}]*)\\}', name))
  type <- field(entry, '"dtype":"([A-Z0-9]+)"')
  shape <- numbers(field(entry, '"shape":\\[([0-9,]*)\\]'))
  offsets <- numbers(field(entry, '"data_offsets":\\[([0-9,]*)\\]'))
  seek(file, 8 + size + offsets[1])
  raw <- readBin(file, "raw", offsets[2] - offsets[1])
  if (type == "BF16") {
    halves <- matrix(raw, nrow = 2)
    raw <- as.vector(rbind(as.raw(0), as.raw(0), halves))
  }
  values <- readBin(raw, "numeric", prod(shape), size = 4, endian = "little")
  aperm(array(values, rev(shape)), rev(seq_along(shape)))
}

behaviour <- read.csv(file.path(run, "tables", "behaviour.csv"))
mine <- behaviour[behaviour$model == behaviour$model[1] & behaviour$task == behaviour$task[1] &
  behaviour$condition == behaviour$condition[1] & behaviour$scoring == behaviour$scoring[1] &
  behaviour$measure == behaviour$measure[1], ]
model <- as.character(mine$model[1])
task <- as.character(mine$task[1])
condition <- as.character(mine$condition[1])

folder <- file.path(run, model, task, condition)
turns <- unlist(lapply(sort(Sys.glob(file.path(folder, "turns-*.jsonl"))), readLines, encoding = "UTF-8"))
if (requireNamespace("jsonlite", quietly = TRUE)) {
  first <- jsonlite::fromJSON(turns[1])
  cat("first", first$item, first$round, "\n")
}
states <- lapply(sort(Sys.glob(file.path(folder, "states-*.safetensors"))), read_tensor, name = "resid_post")
cat("turns", length(turns), "\n")
cat("states", sum(sapply(states, function(part) dim(part)[1])), dim(states[[1]])[-1], "\n")
all_values <- unlist(states)
cat("state_mean", sprintf("%.6f", mean(all_values[is.finite(all_values)])), "\n")
cat("behaviour", sprintf("%.4f", mine$value), "\n")

png(plot_file, width = 1200, height = 450, res = 150)
par(mfrow = c(1, 2), mar = c(4, 4, 1, 1))
ends <- range(c(mine$low, mine$high, mine$value), na.rm = TRUE)
plot(mine$round, mine$value, type = "b", ylim = ends, xlab = "round", ylab = as.character(mine$measure[1]), xaxt = "n")
axis(1, at = mine$round)
known <- mine[is.finite(mine$low) & mine$high > mine$low, ]
if (nrow(known) > 0) arrows(known$round, known$low, known$round, known$high, angle = 90, code = 3, length = 0.04)

manifest <- paste(readLines(file.path(run, "manifest.json"), encoding = "UTF-8"), collapse = "\n")
concept <- field(manifest, '"concepts": \\[\\s*\\{\\s*"name": "([^"]+)"')
if (!is.na(concept)) {
  score_file <- file.path(run, "probes", model, "scores", concept, paste0(task, ".safetensors"))
  scores <- read_tensor(score_file, "resid_post") # [conditions, items, rounds, positions, layers]
  # The study's first condition and position come first.
  profile <- apply(scores[1, , , 1, , drop = FALSE], c(3, 5), mean, na.rm = TRUE)
  cat("scores", dim(scores), "\n")
  cat("score_last_layer", sprintf("%.4f", profile[, ncol(profile)]), "\n")
  matplot(seq_len(ncol(profile)) - 1, t(profile), type = "l", lty = 1, xlab = "layer", ylab = paste(concept, "score"))
  legend("topleft", paste("round", seq_len(nrow(profile)) - 1), col = seq_len(nrow(profile)), lty = 1, bty = "n")
}
invisible(dev.off())
