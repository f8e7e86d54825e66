//! Runs cases and watches over each: panics, time, memory, and where a failing one can be found again.

use std::alloc::{GlobalAlloc, Layout, System};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use recant::random::SplitMix;

/// Processor time that a case may take. A case takes far less than a thousandth of it.
const MOST_SECONDS: f64 = 1.0;
/// Once a case has run for so long by the clock it counts as endless, and the process ends.
const ENDLESS: Duration = Duration::from_secs(60);
/// Bytes that may be allocated at once for each byte of the files, besides the entry's own allowance.
const BYTES_A_BYTE: usize = 16;
/// A single case is never given more: beyond this an allocation fails, which ends the process.
const MOST_BYTES: isize = 2 << 30;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static LIMIT: Cell<isize> = const { Cell::new(isize::MAX) };
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Counts what the thread holds. What libtorch allocates is not seen.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Notes a change; false where it would be beyond the limit.
fn grow(by: isize) -> bool {
    let counted = LIVE.try_with(|live| {
        let now = live.get() + by;
        if by > 0 && now > LIMIT.with(Cell::get) {
            return false;
        }
        live.set(now);
        PEAK.with(|peak| peak.set(peak.get().max(now)));
        true
    });
    // A thread that is ending has no counters left.
    counted.unwrap_or(true)
}

// SAFETY: all is passed on to the system's allocator; null, which means failure, is the only other answer.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !grow(layout.size() as isize) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !grow(layout.size() as isize) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        grow(-(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !grow(size as isize - layout.size() as isize) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Processor seconds of this thread.
fn seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one timespec, which is there.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// The files of a case, by name.
pub type Files = Vec<(&'static str, Vec<u8>)>;

/// Makes the files of a case.
pub type Make = Box<dyn Fn(&mut SplitMix) -> Files + Send + Sync>;

/// What a reader made of a case: taken or refused, or what it did wrong.
pub type Verdict = Result<bool, String>;

/// A way into the program that files of strangers take.
pub struct Entry {
    pub name: &'static str,
    /// Its part of all cases, in thousandths.
    pub share: usize,
    /// Bytes that may be allocated at once whatever the size of the files.
    pub allowance: usize,
    /// Makes the files of a case.
    pub make: Make,
    /// Reads them.
    pub read: fn(&Path, &mut SplitMix) -> Verdict,
}

/// A fault that is known and stays for now.
pub struct Left {
    /// The entry.
    pub entry: &'static str,
    /// Part of what the failure says.
    pub says: &'static str,
}

/// What a run is told by its environment.
struct Settings {
    cases: usize,
    seed: u64,
    /// One case alone: entry, seed, number.
    only: Option<(String, u64, u64)>,
}

impl Settings {
    fn read() -> Self {
        let number = |name: &str, absent: u64| {
            std::env::var(name).map_or(absent, |text| text.parse().expect("a whole number"))
        };
        let only = std::env::var("RECANT_FUZZ_ONLY").ok().map(|text| {
            let mut parts = text.split(':');
            let mut next = || parts.next().expect("ENTRY:SEED:NUMBER").to_string();
            let (entry, seed, number) = (next(), next(), next());
            (entry, seed.parse().expect("a seed"), number.parse().expect("a number"))
        });
        Self {
            cases: number("RECANT_FUZZ_CASES", 30_000) as usize,
            seed: number("RECANT_FUZZ_SEED", 1),
            only,
        }
    }
}

/// Runs an entry's part of the cases and fails where one of them did.
pub fn run(entry: &Entry, left: &[Left]) {
    std::panic::set_hook(Box::new(|info| {
        let what = info.to_string().replace('\n', " ");
        // Only while a case is read is there a limit.
        if LIMIT.with(Cell::get) != isize::MAX {
            PANIC.with(|last| *last.borrow_mut() = Some(what));
        } else {
            eprintln!("{what}");
        }
    }));
    let settings = Settings::read();
    let (seed, numbers) = match &settings.only {
        Some((name, _, _)) if name != entry.name => return,
        Some((_, seed, number)) => (*seed, *number..number + 1),
        None => (settings.seed, 0..(settings.cases * entry.share / 1000) as u64),
    };
    let alone = settings.only.is_some();
    std::thread::scope(|scope| {
        let watched = std::thread::Builder::new().name("fuzz".into()).stack_size(8 << 20);
        let thread = watched.spawn_scoped(scope, || cases(entry, left, seed, numbers, alone));
        thread.expect("a thread").join().expect("the cases end");
    });
}

fn cases(entry: &Entry, left: &[Left], seed: u64, numbers: std::ops::Range<u64>, alone: bool) {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    let desk = tempfile::Builder::new().prefix("recant-fuzz-").tempdir_in(place).expect("a directory");
    let dir = desk.path().join("case");
    fs::create_dir(&dir).expect("a directory");
    let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    let name = |number: u64| format!("{}-{seed}-{number}", entry.name);
    let repeat = |number: u64| format!("RECANT_FUZZ_ONLY={}:{seed}:{number} make fuzz", entry.name);

    let now = Arc::new(AtomicU64::new(0));
    let dog = {
        let (now, dir, kept, entry) = (Arc::clone(&now), dir.clone(), kept.clone(), entry.name);
        move || watchdog(&now, &dir, &kept.join(format!("{entry}-{seed}-endless")), entry, seed)
    };
    std::thread::spawn(dog);

    let begin = Instant::now();
    let (mut taken, mut refused, mut tolerated) = (0u64, 0u64, 0u64);
    let (mut most, mut longest) = ((0, 0), (0.0, 0));
    let mut failures: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for number in numbers.clone() {
        let mut random = SplitMix::stream(seed, number);
        let files = (entry.make)(&mut random);
        // A process that is killed leaves its case behind.
        fs::write(desk.path().join("number"), format!("{} {seed} {number}", entry.name)).expect("written");
        let size = write(&dir, &files);
        drop(files);
        now.store(number + 1, Ordering::SeqCst);
        let outcome = watch(entry, &dir, &mut random, size);
        now.store(0, Ordering::SeqCst);
        if outcome.peak > most.0 {
            most = (outcome.peak, number);
        }
        if outcome.seconds > longest.0 {
            longest = (outcome.seconds, number);
        }
        match outcome.verdict {
            Ok(true) => taken += 1,
            Ok(false) => refused += 1,
            Err(why) if left.iter().any(|left| left.entry == entry.name && why.contains(left.says)) => {
                tolerated += 1;
            }
            Err(why) => {
                // The same fault differs in numbers only.
                let kind: String = why.chars().filter(|c| !c.is_ascii_digit()).take(200).collect();
                let known = failures.entry(kind).or_insert((number, 0));
                known.1 += 1;
                if known.1 == 1 {
                    let kept = kept.join(name(number));
                    copy(&dir, &kept);
                    eprintln!(
                        "{} case {number}: {why}\n  files: {}\n  again: {}",
                        entry.name,
                        kept.display(),
                        repeat(number)
                    );
                }
            }
        }
    }
    eprintln!(
        "{}: seed {seed}, {} cases in {:.1} s: {taken} taken, {refused} refused, {tolerated} of known faults; \
         most memory {:.1} MB (case {}), longest {:.0} ms (case {})",
        entry.name,
        numbers.end - numbers.start,
        begin.elapsed().as_secs_f64(),
        most.0 as f64 / 1e6,
        most.1,
        longest.0 * 1e3,
        longest.1
    );
    let found: Vec<String> =
        failures.iter().map(|(kind, (first, count))| format!("{count} x {kind} (first {first})")).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    // Cases of one kind only would prove nothing.
    assert!(alone || (taken > 0 && refused > 0), "{}: {taken} taken, {refused} refused", entry.name);
}

struct Outcome {
    verdict: Verdict,
    peak: usize,
    seconds: f64,
}

/// Reads one case and holds it against the limits.
fn watch(entry: &Entry, dir: &Path, random: &mut SplitMix, size: usize) -> Outcome {
    let before = LIVE.with(Cell::get);
    PEAK.with(|peak| peak.set(before));
    LIMIT.with(|limit| limit.set(before + MOST_BYTES));
    let start = seconds();
    let read = catch_unwind(AssertUnwindSafe(|| (entry.read)(dir, random)));
    let seconds = seconds() - start;
    LIMIT.with(|limit| limit.set(isize::MAX));
    let peak = (PEAK.with(Cell::get) - before).max(0) as usize;
    let allowed = BYTES_A_BYTE * size + entry.allowance;
    let verdict = match read {
        Err(panic) => Err(format!("panic: {}", said(panic))),
        Ok(Ok(_)) if peak > allowed => {
            Err(format!("too much memory: {peak} bytes for files of {size}, {allowed} are allowed"))
        }
        Ok(Ok(_)) if seconds > MOST_SECONDS => Err(format!("too slow: {seconds:.2} s")),
        Ok(verdict) => verdict,
    };
    Outcome { verdict, peak, seconds }
}

fn said(panic: Box<dyn Any + Send>) -> String {
    drop(panic);
    PANIC.with(|last| last.borrow_mut().take()).unwrap_or_default()
}

/// Ends the process when one case goes on for too long.
fn watchdog(now: &AtomicU64, dir: &Path, kept: &Path, entry: &str, seed: u64) {
    let (mut case, mut since) = (0, Instant::now());
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let current = now.load(Ordering::SeqCst);
        if current != case || current == 0 {
            (case, since) = (current, Instant::now());
        } else if since.elapsed() > ENDLESS {
            copy(dir, kept);
            let number = case - 1;
            eprintln!(
                "{entry} case {number}: endless\n  files: {}\n  again: RECANT_FUZZ_ONLY={entry}:{seed}:{number} make fuzz",
                kept.display()
            );
            std::process::abort();
        }
    }
}

/// Puts the files of a case, and no others, into the directory; the sum of their sizes.
fn write(dir: &Path, files: &Files) -> usize {
    for entry in fs::read_dir(dir).expect("the directory is there").flatten() {
        let path = entry.path();
        if path.is_dir() || files.iter().all(|(name, _)| entry.file_name() != *name) {
            let gone = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            gone.expect("removed");
        }
    }
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, bytes).expect("written");
    }
    files.iter().map(|(_, bytes)| bytes.len()).sum()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("the directory is there").flatten() {
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        } else {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    }
}

/// What every error must be: one line of a length that a terminal can show.
pub fn refusal(error: &recant::Error) -> Verdict {
    const LONGEST: usize = 2_000;
    let text = error.to_string();
    if text.contains('\n') {
        return Err(format!("an error of several lines: {text:?}").chars().take(300).collect());
    }
    if text.len() > LONGEST {
        return Err(format!(
            "an error of {} bytes: {}",
            text.len(),
            text.chars().take(200).collect::<String>()
        ));
    }
    Ok(false)
}

/// What was read, or `None` where it was refused as it should be.
pub fn tried<T>(result: recant::Result<T>) -> Result<Option<T>, String> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => refusal(&error).map(|_| None),
    }
}
