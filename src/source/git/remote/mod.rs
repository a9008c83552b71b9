//! A remote repository: what it has, packs of it, and packs for it.

pub(in crate::source) mod access;
mod address;
pub(in crate::source) mod error;
mod github_app;
pub(in crate::source) mod http;
mod known_hosts;
mod local;
mod pace;
mod pkt_line;
mod protocol;
pub(in crate::source) mod proxy;
mod receive_pack;
mod ssh;
pub(in crate::source) mod tls;

use std::io::{Read, Write};

pub use access::{Access, Data, ReadValues, Values};
pub use address::{is_same_repository, normal_url, shown_url, site_of};
pub use error::RemoteError;
pub(super) use known_hosts::fits;
pub(super) use protocol::{Cuts, Listed, Wanted, is_id};
pub(super) use receive_pack::{Move, Report};

use super::reference::{Head, Reference};
use super::store::Store;
use access::Credentials;
use address::Address;
use http::Http;
use pkt_line::Packets;
use protocol::{Fault, Greeting};
use ssh::{Login, Talk};

/// What a server is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    /// To be read from.
    UploadPack,
    /// To be pushed to.
    ReceivePack,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    /// The header of HTTP that says which version of the protocol is spoken; there is only one for pushing.
    fn version(self) -> Option<(&'static str, &'static str)> {
        (self == Self::UploadPack).then_some(("git-protocol", "version=2"))
    }
}

/// A remote repository, and the way there.
pub(super) struct Remote {
    address: Address,
    way: Way,
}

enum Way {
    /// With what the server said the last time that it introduced itself.
    Http(Box<Http>, Option<Greeting>),
    Ssh(Box<Login>),
    Local,
}

impl Remote {
    /// The remote repository at an address; nothing is asked yet.
    pub(super) fn new(url: &str) -> Result<Self, RemoteError> {
        let address = Address::parse(url)?;
        let way = match &address {
            Address::Http(url) => Way::Http(Box::new(Http::new(url.clone())), None),
            Address::Ssh(at) => Way::Ssh(Box::new(Login::new(at.clone()))),
            Address::Local(_) => Way::Local,
        };
        Ok(Self { address, way })
    }

    /// Its address, which holds no secret.
    pub(super) fn url(&self) -> String {
        self.address.to_string()
    }

    /// Whether it is on this machine.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.address, Address::Local(_))
    }

    /// Whether credentials for the other one may be shown to this one.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.address.is_beside(&other.address)
    }

    /// The references whose names begin so.
    pub(super) fn list(&mut self, prefixes: &[String], access: &Access) -> Result<Vec<Listed>, RemoteError> {
        let mut listed = match (&mut self.way, &self.address) {
            (Way::Http(http, known), address) => list_over_http(address, http, known, prefixes, &access.read(address)?)?,
            (Way::Ssh(login), address) => list_over_ssh(address, login, prefixes, &access.read(address)?)?,
            (Way::Local, Address::Local(path)) => local::list(&self.address, path)?,
            (Way::Local, _) => Vec::new(),
        };
        listed.retain(|listed| prefixes.iter().any(|prefix| listed.name.starts_with(prefix)));
        Ok(listed)
    }

    /// Brings a commit into a repository of ours.
    pub(super) fn fetch(&mut self, wanted: &Wanted<'_>, access: &Access, into: &Store) -> Result<Cuts, RemoteError> {
        let address = &self.address;
        into.receive(address, |out| match (&mut self.way, address) {
            (Way::Http(http, known), _) => {
                let mut packets = ask_over_http(address, http, known, wanted, &access.read(address)?)?;
                let cuts = protocol::pack(&mut packets, out).inspect_err(|_| *known = None);
                let cuts = cuts.map_err(|fault| RemoteError::of(fault, address))?;
                packets.finish();
                Ok(cuts)
            }
            (Way::Ssh(login), _) => fetch_over_ssh(address, login, wanted, &access.read(address)?, out),
            (Way::Local, Address::Local(path)) => local::send(address, path, wanted, &|id| into.objects.has(id), out),
            (Way::Local, _) => Ok(Cuts::default()),
        })
    }

    /// Moves references, for which the server gets a pack of what it lacks. It judges itself whether they still are where they are said
    /// to be.
    pub(super) fn push(&mut self, moves: &[Move], pack: &[u8], access: &Access) -> Result<Report, RemoteError> {
        let address = &self.address;
        let fault = |fault: Fault| RemoteError::of(fault, address);
        match (&mut self.way, address) {
            (Way::Http(http, _), _) => {
                let who = access.read(address)?;
                let greeting = finished(http.greeting(address, &who, Service::ReceivePack)?, protocol::greeting).map_err(fault)?;
                let (request, form) = match receive_pack::request(&greeting, moves, pack).map_err(fault)? {
                    receive_pack::Ready::Request(request, form) => (request, form),
                    receive_pack::Ready::Stale(report) => return Ok(report),
                };
                let answer = http.request(address, &who, Service::ReceivePack, &request)?;
                finished(answer, |packets| receive_pack::report(packets, form)).map_err(fault)
            }
            (Way::Ssh(login), _) => {
                let mut packets = Packets::new(login.talk(address, &access.read(address)?, Service::ReceivePack)?);
                let report = protocol::greeting(&mut packets).and_then(|greeting| match receive_pack::request(&greeting, moves, pack)? {
                    receive_pack::Ready::Stale(report) => Ok(report),
                    receive_pack::Ready::Request(request, form) => {
                        packets.from().say(&request)?;
                        receive_pack::report(&mut packets, form)
                    }
                });
                report.map_err(|fault| over_ssh(address, &mut packets, fault))
            }
            (Way::Local, Address::Local(path)) => local::receive(address, path, moves, pack),
            (Way::Local, _) => Ok(Report::default()),
        }
    }
}

fn list_over_http(
    address: &Address,
    http: &mut Http,
    known: &mut Option<Greeting>,
    prefixes: &[String],
    who: &Credentials,
) -> Result<Vec<Listed>, RemoteError> {
    let fault = |fault: Fault| RemoteError::of(fault, address);
    // A server of version 2 needn't introduce itself every time. If it has become another one, it shall.
    if let Some(Greeting::V2(capabilities)) = known {
        match http.request(address, who, Service::UploadPack, &protocol::list(capabilities, prefixes)) {
            Ok(answer) => return finished(answer, protocol::listing).inspect_err(|_| *known = None).map_err(fault),
            Err(error) if error.is_transient() => return Err(error),
            Err(_) => *known = None,
        }
    }
    let greeting = finished(http.greeting(address, who, Service::UploadPack)?, protocol::greeting).map_err(fault)?;
    match known.insert(greeting) {
        Greeting::V0(references, _) => Ok(std::mem::take(references)),
        Greeting::V2(capabilities) => {
            let answer = http.request(address, who, Service::UploadPack, &protocol::list(capabilities, prefixes))?;
            finished(answer, protocol::listing).map_err(fault)
        }
    }
}

fn ask_over_http(
    address: &Address,
    http: &mut Http,
    known: &mut Option<Greeting>,
    wanted: &Wanted<'_>,
    who: &Credentials,
) -> Result<Packets<impl Read + use<>>, RemoteError> {
    if let Some(greeting) = known {
        match http.request(address, who, Service::UploadPack, &request(greeting, wanted)) {
            Ok(answer) => return Ok(Packets::new(answer)),
            Err(error) if error.is_transient() => return Err(error),
            Err(_) => *known = None,
        }
    }
    let greeting =
        finished(http.greeting(address, who, Service::UploadPack)?, protocol::greeting).map_err(|fault| RemoteError::of(fault, address))?;
    let answer = http.request(address, who, Service::UploadPack, &request(known.insert(greeting), wanted))?;
    Ok(Packets::new(answer))
}

fn list_over_ssh(address: &Address, login: &mut Login, prefixes: &[String], who: &Credentials) -> Result<Vec<Listed>, RemoteError> {
    let mut packets = Packets::new(login.talk(address, who, Service::UploadPack)?);
    let listed = protocol::greeting(&mut packets).and_then(|greeting| match greeting {
        Greeting::V0(references, _) => Ok(references),
        Greeting::V2(capabilities) => {
            packets.from().say(&protocol::list(&capabilities, prefixes))?;
            protocol::listing(&mut packets)
        }
    });
    listed.map_err(|fault| over_ssh(address, &mut packets, fault))
}

fn fetch_over_ssh(
    address: &Address,
    login: &mut Login,
    wanted: &Wanted<'_>,
    who: &Credentials,
    out: &mut dyn Write,
) -> Result<Cuts, RemoteError> {
    let mut packets = Packets::new(login.talk(address, who, Service::UploadPack)?);
    let cuts = protocol::greeting(&mut packets).and_then(|greeting| {
        packets.from().say(&request(&greeting, wanted))?;
        protocol::pack(&mut packets, out)
    });
    cuts.map_err(|fault| over_ssh(address, &mut packets, fault))
}

/// What went wrong in a talk: where the answer ends too early, the server's words say it best.
fn over_ssh(address: &Address, packets: &mut Packets<Talk<'_>>, fault: Fault) -> RemoteError {
    let complaint = if matches!(fault, Fault::Io(_)) { packets.from().complaint(address) } else { None };
    complaint.unwrap_or_else(|| RemoteError::of(fault, address))
}

fn request(greeting: &Greeting, wanted: &Wanted<'_>) -> Vec<u8> {
    match greeting {
        Greeting::V2(capabilities) => protocol::fetch(capabilities, wanted),
        Greeting::V0(_, capabilities) => protocol::fetch_v0(capabilities, wanted),
    }
}

/// The commit that a reference means in what a git server sent, which introduces itself and lists its references, in either version of the
/// protocol; `None` if it isn't there.
///
/// # Errors
///
/// `url` is no address, the answer breaks off, or it isn't that of a git server.
pub fn head_in(url: &str, sent: &[u8], reference: &Reference) -> Result<Option<Head>, RemoteError> {
    let address = Address::parse(url)?;
    let mut packets = Packets::new(sent);
    let listed = protocol::greeting(&mut packets).and_then(|greeting| match greeting {
        Greeting::V0(references, _) => Ok(references),
        Greeting::V2(_) => protocol::listing(&mut packets),
    });
    listed.map(|listed| reference.choose(&listed)).map_err(|fault| RemoteError::of(fault, &address))
}

/// Reads an answer, and what is left of it.
fn finished<R: Read, T>(answer: R, read: impl FnOnce(&mut Packets<R>) -> Result<T, Fault>) -> Result<T, Fault> {
    let mut packets = Packets::new(answer);
    let done = read(&mut packets)?;
    packets.finish();
    Ok(done)
}
