//! Quantities and lengths of time.

use kaito::quantity::{self, Quantity};

/// Two ways to read a quantity agree, and so does what is written of it.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (one, other) = text.split_once('\n').unwrap_or((text, text));
    assert_eq!(quantity::is_same(one, other), quantity::is_same(other, one), "{one:?} {other:?}");
    for text in [one, other] {
        reads(text);
    }
    if let (Some(a), Some(b)) = (quantity::bytes(one), quantity::bytes(other))
        && quantity::is_same(one, other)
    {
        assert_eq!(a, b, "{one:?} {other:?}");
    }
}

fn reads(text: &str) {
    _ = quantity::nanoseconds(text);
    let read = Quantity::try_from(text.to_owned());
    let Some(bytes) = quantity::bytes(text) else { return assert!(read.is_err(), "{text:?}") };
    assert_eq!(read.is_ok(), bytes <= 1 << 50, "{text:?}");
    if let Ok(quantity) = read {
        assert_eq!((quantity.bytes(), quantity.as_str()), (bytes, text));
        assert!(quantity::gib_text(bytes).ends_with(" GiB"), "{text:?}");
    }
    // Only a fraction is rounded, and 18 digits are what is compared.
    if !text.contains('.') && bytes < 1_000_000_000_000_000_000 {
        assert!(quantity::is_same(text, &bytes.to_string()), "{text:?} is {bytes}");
    }
}
