//! Opening safetensors that may be damaged.

use safetensors::SafeTensors;
use safetensors::tensor::Metadata;
use std::collections::HashMap;

/// The tensors of a file, and the texts that it was saved with.
///
/// `safetensors` 0.8 checks the header against itself, but adds its end to the header's length before it compares that
/// with the file's, which can overflow: the end is looked at here first.
///
/// # Errors
/// When the bytes are no whole safetensors file.
pub fn open(bytes: &[u8]) -> Result<(SafeTensors<'_>, HashMap<String, String>), String> {
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or("it is too short to be one")?;
    let length = u64::from_le_bytes(*length);
    let header = usize::try_from(length).ok().and_then(|length| rest.get(..length));
    let header = header.ok_or_else(|| format!("its header is to be of {length} bytes, and {} follow", rest.len()))?;
    let metadata: Metadata = serde_json::from_slice(header).map_err(|e| format!("its header: {e}"))?;
    let data = rest.len() - header.len();
    if metadata.data_len() != data {
        return Err(format!("its header tells of {} bytes of tensors, and {data} follow", metadata.data_len()));
    }
    let texts = metadata.metadata().clone().unwrap_or_default();
    Ok((SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?, texts))
}

#[cfg(test)]
mod tests {
    use super::open;

    fn file(header: &str, data: usize) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
    }

    #[test]
    fn whole_files_open_and_others_say_why_not() {
        let tensor = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        assert_eq!(open(&file(tensor, 8)).unwrap().0.len(), 1);
        let error = |bytes: &[u8]| open(bytes).err().unwrap();
        assert!(error(b"short").contains("too short"));
        assert!(error(&[0xff; 20]).contains("18446744073709551615 bytes, and 12 follow"));
        assert!(error(&file("{", 0)).contains("its header: EOF"));
        assert!(error(&file(tensor, 7)).contains("8 bytes of tensors, and 7 follow"));
        assert!(error(&file(&"[".repeat(100_000), 0)).contains("its header"));
    }

    /// Tensors whose sizes add up to all but the last bytes of the address space.
    #[test]
    fn sizes_that_overflow_are_an_error() {
        let quarter = 1usize << 60;
        let sizes: Vec<usize> = std::iter::repeat_n(quarter, 15).chain([quarter - 1]).collect();
        let mut end = 0;
        let tensors: Vec<String> = sizes
            .iter()
            .enumerate()
            .map(|(k, size)| {
                let start = end;
                end += size;
                format!(r#""t{k}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{start},{end}]}}"#)
            })
            .collect();
        assert!(open(&file(&format!("{{{}}}", tensors.join(",")), 8)).is_err());
    }
}
