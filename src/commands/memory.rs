//! How much memory this process has needed.

/// The largest resident set so far in bytes, where the system tells.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The same in words.
pub fn shown(peak: Option<u64>) -> String {
    peak.map_or_else(
        || "peak memory not known".into(),
        |bytes| format!("peak memory {:.2} GB", bytes as f64 / 1e9),
    )
}
