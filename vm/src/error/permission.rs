//! What a guest may not do.

use crate::runtime::permissions::Capability;

/// Something that was refused for want of a permission.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PermissionError {
    /// A host function was called that needs a capability which not all
    /// instances on the call chain have.
    #[error("`{domain}` may not call {function}: that needs the permission `{capability}`")]
    Refused {
        /// The innermost domain that has it not.
        domain: Box<str>,
        /// The function: module and name where it has them.
        function: Box<str>,
        /// What it needs.
        capability: Capability,
    },
    /// More of something was asked for than there may be.
    #[error(transparent)]
    Quota(QuotaError),
}

/// More of something was asked for than a domain and its children may have.
#[derive(Debug, thiserror::Error)]
#[error("`{domain}` may have {quota} {unit}: it has {used}, and {wanted} more were asked for")]
pub struct QuotaError {
    /// The domain whose quota it is.
    pub domain: Box<str>,
    /// What it is a quota of.
    pub unit: &'static str,
    /// How much there may be.
    pub quota: u64,
    /// How much there is.
    pub used: u64,
    /// How much more was asked for.
    pub wanted: u64,
}
