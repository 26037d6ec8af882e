//! How much memory there is.

/// Bytes that can be taken without pushing others out, as Linux estimates it: the least of the machine's and the control
/// group's. `None` where that cannot be told.
pub fn free_bytes() -> Option<usize> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let free = line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok()?.saturating_mul(1 << 10);
    let number =
        |file: &str| std::fs::read_to_string(format!("/sys/fs/cgroup/{file}")).ok()?.trim().parse::<usize>().ok();
    // `max`, or no such file: no bound of its own.
    let left = number("memory.max").map(|most| most.saturating_sub(number("memory.current").unwrap_or(0)));
    Some(left.map_or(free, |left| left.min(free)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn some_memory_is_free() {
        if let Some(free) = super::free_bytes() {
            assert!(free > 1 << 20, "{free}");
        }
    }
}
