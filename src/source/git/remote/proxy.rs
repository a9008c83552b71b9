//! Over which proxy a server is asked: the one that is given, else what the environment says, as curl reads it.

use std::env;

use ureq::Proxy;

use super::access::ProxyLogin;

/// The proxy for an address; the error says what is wrong.
pub(in crate::source) fn for_url(url: &str, given: Option<&ProxyLogin>) -> Result<Option<Proxy>, &'static str> {
    if let Some(given) = given {
        let proxy = with_login(given).ok_or("the proxy's address is none: write http://host:port, https://host:port or socks5://host:port");
        return proxy.map(Some);
    }
    let is_https = url.starts_with("https:");
    let Some(address) = from_environment(is_https, |name| env::var(name).ok()) else { return Ok(None) };
    let exceptions = env::var("no_proxy").or_else(|_| env::var("NO_PROXY")).unwrap_or_default();
    let proxy = Proxy::new(&address).map_err(|_| "the environment names a proxy by what is no address")?;
    with_exceptions(&proxy, &exceptions).map(Some).ok_or("the environment names a proxy by what is no address")
}

/// The names that curl knows; `HTTP_PROXY` isn't one of them, as servers run programs with it set by whoever asks.
fn from_environment(is_https: bool, get: impl Fn(&str) -> Option<String>) -> Option<String> {
    let names: &[&str] = if is_https { &["https_proxy", "HTTPS_PROXY"] } else { &["http_proxy"] };
    names.iter().chain(&["all_proxy", "ALL_PROXY"]).find_map(|name| get(name)).filter(|address| !address.is_empty())
}

fn with_login(given: &ProxyLogin) -> Option<Proxy> {
    let proxy = Proxy::new(&given.address).ok()?;
    let (Some(username), password) = (given.username.as_deref(), given.password.as_ref().map_or("", |password| password.expose())) else {
        return Some(proxy);
    };
    builder(&proxy).username(username).password(password).build().ok()
}

fn with_exceptions(proxy: &Proxy, exceptions: &str) -> Option<Proxy> {
    let mut builder = builder(proxy);
    if let Some(username) = proxy.username() {
        builder = builder.username(username);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    let each = exceptions.split([',', ' ']).filter(|name| !name.is_empty());
    each.fold(builder, ureq::ProxyBuilder::no_proxy).build().ok()
}

fn builder(proxy: &Proxy) -> ureq::ProxyBuilder {
    Proxy::builder(proxy.protocol()).host(proxy.host()).port(proxy.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_as_curl_reads_it() {
        let table = [
            (true, &[("HTTPS_PROXY", "a"), ("all_proxy", "b")][..], Some("a")),
            (true, &[("https_proxy", "a"), ("HTTPS_PROXY", "b")], Some("a")),
            (true, &[("https_proxy", ""), ("HTTPS_PROXY", "b")], None),
            (true, &[("http_proxy", "a")], None),
            (false, &[("HTTP_PROXY", "a")], None),
            (false, &[("http_proxy", "a")], Some("a")),
            (false, &[("https_proxy", "a"), ("ALL_PROXY", "b")], Some("b")),
        ];
        for (is_https, variables, want) in table {
            let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(from_environment(is_https, get).as_deref(), want, "{variables:?}");
        }
    }

    #[test]
    fn a_proxy_of_ones_own() {
        let given =
            |address: &str| ProxyLogin { address: address.to_owned(), username: Some("me".to_owned()), password: Some("p@ss".into()) };
        for address in ["http://proxy:3128", "https://proxy", "socks5://proxy:1080"] {
            let proxy = for_url("https://example.com", Some(&given(address))).unwrap().unwrap();
            assert_eq!((proxy.host(), proxy.username(), proxy.password()), ("proxy", Some("me"), Some("p@ss")), "{address}");
        }
        assert!(for_url("https://example.com", Some(&given("ftp://proxy"))).is_err());
        let proxy = with_exceptions(&Proxy::new("http://me:pw@proxy:1").unwrap(), "localhost, .example.com").unwrap();
        assert_eq!(proxy.password(), Some("pw"));
        for (url, want) in [("http://a.example.com/", true), ("http://localhost/", true), ("http://example.org/", false)] {
            assert_eq!(proxy.is_no_proxy(&url.parse().unwrap()), want, "{url}");
        }
    }
}
