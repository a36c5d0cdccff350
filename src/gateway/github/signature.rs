//! `X-Hub-Signature-256: sha256=HEX`, the HMAC of a body's bytes under the webhook's secret.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A signature that somebody claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature([u8; 32]);

impl Signature {
    /// Reads the header's value; `None` for what cannot be a signature.
    pub fn parse(header: &str) -> Option<Self> {
        let hex = header.trim().strip_prefix("sha256=")?;
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Whether it is that of `body` under `secret`; in a time that does not tell how nearly.
    pub fn fits(&self, secret: &[u8], body: &[u8]) -> bool {
        mac(secret, body).is_some_and(|mac| mac.verify_slice(&self.0).is_ok())
    }
}

/// The header's value for `body` under `secret`, for whoever sends a webhook: tests and the verb.
pub fn sign(secret: &[u8], body: &[u8]) -> Option<String> {
    let digest = mac(secret, body)?.finalize().into_bytes();
    Some(digest.iter().fold("sha256=".to_owned(), |hex, byte| format!("{hex}{byte:02x}")))
}

fn mac(secret: &[u8], body: &[u8]) -> Option<Hmac<Sha256>> {
    // A key may have any length, but the type does not say so.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(body);
    Some(mac)
}
