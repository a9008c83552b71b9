//! Bytes as hexadecimal digits.

/// Bytes as hexadecimal digits, two for each, in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).map(|digit| DIGITS[usize::from(digit)]).collect()
}

#[cfg(test)]
mod tests {
    use super::hex;

    #[test]
    fn digits() {
        for (bytes, want) in [(&[][..], ""), (&[0], "00"), (&[0x0f, 0xa0, 0xff], "0fa0ff")] {
            assert_eq!(hex(bytes), want);
        }
    }
}
