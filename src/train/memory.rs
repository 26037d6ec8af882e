//! How much memory there is.

/// Bytes that can be taken without pushing others out, as Linux estimates it: the least of the machine's and the control
/// group's. `None` where that cannot be told.
pub fn free_bytes() -> Option<usize> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let free = line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok()?.saturating_mul(1 << 10);
    let of_group = |file: &str| std::fs::read_to_string(format!("/sys/fs/cgroup/{file}")).unwrap_or_default();
    let left = left_in_group(&of_group("memory.max"), &of_group("memory.current"), &of_group("memory.stat"));
    Some(left.map_or(free, |left| left.min(free)))
}

/// What a control group has left, from its files. `None` where they say `max`, or are not there: no bound of its own.
fn left_in_group(most: &str, current: &str, stat: &str) -> Option<usize> {
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let line = |name: &str| stat.lines().find_map(|line| number(line.strip_prefix(name)?.strip_prefix(' ')?));
    // Pages of files count as taken, and go when something else needs their room.
    let files = line("inactive_file").unwrap_or(0) + line("active_file").unwrap_or(0);
    Some(number(most)?.saturating_sub(number(current).unwrap_or(0).saturating_sub(files)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn pages_of_files_in_a_control_group_are_free() {
        let left = super::left_in_group;
        let stat = "anon 500\nfile 900\ninactive_file_more 7\ninactive_file 300\nactive_file 400\n";
        assert_eq!(left("2000\n", "1500\n", stat), Some(1200));
        assert_eq!(left("2000\n", "1500\n", ""), Some(500));
        assert_eq!(left("2000\n", "100\n", stat), Some(2000));
        assert_eq!(left("1000\n", "1500\n", ""), Some(0));
        assert_eq!([left("max\n", "1500\n", stat), left("", "", "")], [None; 2]);
    }

    #[test]
    fn some_memory_is_free() {
        if let Some(free) = super::free_bytes() {
            assert!(free > 1 << 20, "{free}");
        }
    }
}
