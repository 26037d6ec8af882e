//! How much memory there is.

/// Bytes that can be taken without pushing others out, as Linux estimates it: the least of the machine's, the control
/// group's and what the process may have. `None` where that cannot be told.
pub fn free_bytes() -> Option<usize> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let free = line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok()?.saturating_mul(1 << 10);
    let of_group = |file: &str| std::fs::read_to_string(format!("/sys/fs/cgroup/{file}")).unwrap_or_default();
    let left = left_in_group(&of_group("memory.max"), &of_group("memory.current"), &of_group("memory.stat"));
    let of_process = |file: &str| std::fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    let addresses = left_of_limit(&of_process("limits"), &of_process("status"));
    Some(left.into_iter().chain(addresses).fold(free, usize::min))
}

/// What a limit on the process's addresses (`ulimit -v`) leaves, from what the system says of it. `None` where there is none.
fn left_of_limit(limits: &str, status: &str) -> Option<usize> {
    let line = |text: &str, name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse::<usize>().ok()
    };
    let most = line(limits, "Max address space")?;
    Some(most.saturating_sub(line(status, "VmSize:").unwrap_or(0) << 10))
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
    fn a_limit_on_addresses_leaves_what_is_not_mapped() {
        let limits = |soft: &str| {
            format!("Limit  Soft Limit  Hard Limit  Units\nMax address space         {soft}  unlimited  bytes\n")
        };
        let left = |soft: &str| super::left_of_limit(&limits(soft), "VmPeak:\t 9000 kB\nVmSize:\t    1000 kB\n");
        assert_eq!(left("3072000"), Some(2048000));
        assert_eq!(left("3000"), Some(0));
        assert_eq!([left("unlimited"), super::left_of_limit("", "")], [None; 2]);
    }

    #[test]
    fn some_memory_is_free() {
        if let Some(free) = super::free_bytes() {
            assert!(free > 1 << 20, "{free}");
        }
    }
}
