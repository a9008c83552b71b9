//! Where texts come from: files and directories on disk or in a revision of git, standard input, and for presets the hub.

mod changes;
mod dir;
mod git;
mod http;
mod hub;
mod listing;
mod memory;
mod named;
mod registry;
mod secret_file;
mod tree;
mod walk;
mod within;

pub use changes::Changes;
pub use dir::{Inputs, config_for, is_whole, preset_layer, read_config, read_file, template_overrides};
pub use git::{
    Access, Commit, Data, Destination, Fault, Head, Mirror, Person, PushError, Pushed, Range, RangeError, ReadValues, Reference,
    RemoteError, Repository, Side, Signer, SigningKey, Values, Verifier, Verify, VerifyError, VerifyMode, VersionRange, VersionRangeError,
    head_in, is_branch, is_same_repository, normal_url, shown_url, site_of,
};
pub use http::{is_private, is_same_origin};
pub use hub::Hub;
pub use listing::repository_in;
pub use memory::Memory;
pub use named::{from_repository, named_alike};
pub use registry::{Login, Registry, RegistryAccess, RegistryAddress, RegistryError};
pub use secret_file::read_secret;
pub use tree::{Content, Disk, Kind, Tree};
pub use within::Within;
