//! PEM as the HTTP client takes it: authorities, a client's certificate, and keys.

use ureq::tls::{ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig};

use super::access::Tls;
use crate::secrets::Secret;

/// How a server is known, and who asks it; the error says what is wrong.
pub(in crate::source) fn config(tls: &Tls) -> Result<TlsConfig, &'static str> {
    let mut config = TlsConfig::builder();
    if let Some(pem) = &tls.authorities {
        let authorities = certificates(pem);
        if authorities.is_empty() {
            return Err("ca.crt holds no certificate in PEM");
        }
        config = config.root_certs(RootCerts::new_with_certs(&authorities));
    }
    if let Some((certificate, key)) = &tls.client {
        let chain = certificates(certificate);
        if chain.is_empty() {
            return Err("tls.crt holds no certificate in PEM");
        }
        let key = PrivateKey::from_pem(key.expose()).map_err(|_| "tls.key holds no key in PEM")?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(config.build())
}

fn certificates(pem: &[u8]) -> Vec<ureq::tls::Certificate<'static>> {
    let items = ureq::tls::parse_pem(pem);
    items.filter_map(|item| if let Ok(PemItem::Certificate(one)) = item { Some(one) } else { None }).collect()
}

/// A private key in PEM as DER, of whatever form it says.
pub(super) fn key(pem: &[u8]) -> Option<Secret<Vec<u8>>> {
    Some(PrivateKey::from_pem(pem).ok()?.der().to_vec().into())
}
