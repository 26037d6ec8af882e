//! Versions, as their makers write them.

/// Of the driver's number, or the newest CUDA that it takes: 13000 is 13.0.
pub fn cuda(number: i32) -> String {
    format!("{}.{}", number / 1000, number % 1000 / 10)
}

/// Of cuDNN's number: 90200 is 9.2.0, and before 9 8907 is 8.9.7.
pub fn cudnn(number: usize) -> [usize; 3] {
    let major = if number < 10_000 { 1000 } else { 10_000 };
    [number / major, number % major / 100, number % 100]
}

/// The driver's release, in what `/proc/driver/nvidia/version` says: after the words `Kernel Module`, which may go on
/// `for x86_64`.
pub fn release(text: &str) -> Option<&str> {
    let line = text.lines().find(|line| line.starts_with("NVRM version:"))?;
    let (_, rest) = line.split_once("Kernel Module")?;
    rest.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_their_makers_write_them() {
        assert_eq!([13000, 12080, 13020].map(cuda), ["13.0", "12.8", "13.2"]);
        assert_eq!([90200, 91301, 8907].map(cudnn), [[9, 2, 0], [9, 13, 1], [8, 9, 7]]);
        let closed =
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 2024\nGCC version: 12.2.0";
        assert_eq!(release(closed), Some("550.54.15"));
        let open =
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.03  Release Build  (dvs-builder@U22)";
        assert_eq!(release(open), Some("580.159.03"));
        assert_eq!(release("GCC version: 12.2.0"), None);
        assert_eq!(release(""), None);
    }
}
