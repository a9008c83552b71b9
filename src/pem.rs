//! Certificates in PEM, as the HTTP client takes them.

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

/// The certificates among what a text in PEM holds.
pub(crate) fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    parse_pem(pem).filter_map(|item| if let Ok(PemItem::Certificate(one)) = item { Some(one) } else { None }).collect()
}

/// The authorities by which servers are known; none if there is no certificate.
pub(crate) fn authorities(pem: &[u8]) -> Option<RootCerts> {
    let certificates = certificates(pem);
    (!certificates.is_empty()).then(|| RootCerts::new_with_certs(&certificates))
}
