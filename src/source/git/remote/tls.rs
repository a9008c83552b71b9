//! PEM as the HTTP client takes it: authorities, a client's certificate, and keys.

use ureq::tls::{ClientCert, PrivateKey, TlsConfig};

use super::access::Tls;
use crate::pem;
use crate::secrets::Secret;

/// How a server is known, and who asks it; the error says what is wrong.
pub(in crate::source) fn config(tls: &Tls) -> Result<TlsConfig, &'static str> {
    let mut config = TlsConfig::builder();
    if let Some(pem) = &tls.authorities {
        config = config.root_certs(pem::authorities(pem).ok_or("ca.crt holds no certificate in PEM")?);
    }
    if let Some((certificate, key)) = &tls.client {
        let chain = pem::certificates(certificate);
        if chain.is_empty() {
            return Err("tls.crt holds no certificate in PEM");
        }
        let key = PrivateKey::from_pem(key.expose()).map_err(|_| "tls.key holds no key in PEM")?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(config.build())
}

/// A private key in PEM as DER, of whatever form it says.
pub(super) fn key(pem: &[u8]) -> Option<Secret<Vec<u8>>> {
    Some(PrivateKey::from_pem(pem).ok()?.der().to_vec().into())
}
