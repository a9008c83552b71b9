//! A server that goes on sending, but so little that it would never come to an end, is given up.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// For how long a server may take its time, as it does to gather what it sends.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many bytes must have come for each second when that is over.
const LEAST: u64 = 1000;

/// An answer, of which enough must come.
pub(super) struct Paced<R> {
    from: R,
    began: Instant,
    patience: Duration,
    read: u64,
}

impl<R: Read> Paced<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, began: Instant::now(), patience: PATIENCE, read: 0 }
    }

    /// What is read from.
    pub(super) fn from(&mut self) -> &mut R {
        &mut self.from
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.read += read as u64;
        let took = self.began.elapsed();
        if took > self.patience && self.read < took.as_secs().max(1) * LEAST {
            return Err(io::Error::other(format!("it has sent less than {LEAST} bytes a second")));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, or so many.
    struct Server(usize);

    impl Read for Server {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.0.min(buffer.len());
            buffer[..count].fill(b'x');
            Ok(count)
        }
    }

    #[test]
    fn few_bytes_are_not_waited_for() {
        let mut buffer = [0; 4096];
        for (bytes, patience, want) in [(1, Duration::ZERO, false), (1, PATIENCE, true), (4096, Duration::ZERO, true)] {
            let mut paced = Paced { patience, ..Paced::new(Server(bytes)) };
            assert_eq!(paced.read(&mut buffer).is_ok(), want, "{bytes} within {patience:?}");
        }
        let mut silent = Paced { patience: Duration::ZERO, ..Paced::new(Server(1)) };
        let error = silent.read_exact(&mut buffer).unwrap_err();
        assert!(error.to_string().contains("1000 bytes a second"), "{error}");
    }
}
