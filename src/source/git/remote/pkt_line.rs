//! Lines as git's protocol sends them: four hexadecimal digits for the length, then the bytes (gitprotocol-common).

use std::io::{self, Read};

use super::pace::Paced;

/// The most bytes that a line has, its length among them.
const LONGEST: usize = 65_520;

/// The digits of a length.
const HEAD: usize = 4;

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// Bytes, among them the line feed that a line of text may end in.
    Data(&'a [u8]),
    /// The end of a list or of an answer.
    Flush,
    /// The end of a section.
    Delimiter,
    /// The end of an answer without a state.
    End,
}

/// Reads packets one after another.
pub(super) struct Packets<R> {
    from: Paced<R>,
    buffer: Vec<u8>,
}

impl<R: Read> Packets<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from: Paced::new(from), buffer: vec![0; LONGEST] }
    }

    /// The next packet.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the other side hung up, `InvalidData` if this is no such line.
    pub(super) fn next(&mut self) -> io::Result<Packet<'_>> {
        let mut head = [0; HEAD];
        self.from.read_exact(&mut head)?;
        let length = std::str::from_utf8(&head).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let length = length.and_then(|text| usize::from_str_radix(text, 16).ok()).ok_or_else(no_packet)?;
        match length {
            0 => Ok(Packet::Flush),
            1 => Ok(Packet::Delimiter),
            2 => Ok(Packet::End),
            HEAD..=LONGEST => {
                let data = &mut self.buffer[..length - HEAD];
                self.from.read_exact(data)?;
                Ok(Packet::Data(data))
            }
            _ => Err(no_packet()),
        }
    }

    /// What packets are read from.
    pub(super) fn from(&mut self) -> &mut R {
        self.from.from()
    }

    /// Reads what is left, as long as it is little: so that the connection can serve again.
    pub(super) fn finish(mut self) {
        _ = io::copy(&mut self.from.by_ref().take(LONGEST as u64), &mut io::sink());
    }
}

fn no_packet() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "this is not git's protocol")
}

/// A request that is being written.
#[derive(Default)]
pub(super) struct Request(Vec<u8>);

impl Request {
    /// Adds a line; its line feed is added too.
    pub(super) fn line(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(format!("{:04x}{text}\n", HEAD + text.len() + 1).as_bytes());
        self
    }

    /// Adds a line without a line feed.
    pub(super) fn bare_line(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(format!("{:04x}{text}", HEAD + text.len()).as_bytes());
        self
    }

    pub(super) fn flush(&mut self) -> &mut Self {
        self.0.extend_from_slice(b"0000");
        self
    }

    pub(super) fn delimiter(&mut self) -> &mut Self {
        self.0.extend_from_slice(b"0001");
        self
    }

    /// All that was written.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read() {
        let bytes: &[u8] = b"0009a-b\n\n0004000000010002FFF0";
        let mut packets = Packets::new(bytes);
        assert_eq!(packets.next().unwrap(), Packet::Data(b"a-b\n\n"));
        assert_eq!(packets.next().unwrap(), Packet::Data(b""));
        assert_eq!(packets.next().unwrap(), Packet::Flush);
        assert_eq!(packets.next().unwrap(), Packet::Delimiter);
        assert_eq!(packets.next().unwrap(), Packet::End);
        assert_eq!(packets.next().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_is_no_packet_is_an_error() {
        for bytes in ["0003", "fff1", "+004", " 004", "<htm", "00"] {
            let kind = Packets::new(bytes.as_bytes()).next().unwrap_err().kind();
            assert!(matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof), "{bytes}");
        }
    }

    #[test]
    fn a_request_is_read_back() {
        let bytes = Request::default().line("command=fetch").delimiter().line("done").flush().take();
        assert_eq!(bytes, b"0012command=fetch\n00010009done\n0000");
    }
}
