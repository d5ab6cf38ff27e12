//! `blob.*`; bytes as text, but for the calls at the end, which make and check noise.

use crate::{Arguments, text, unknown};
use plexspaces_sdk::blob::{BlobInfo, Blobs, Upload};
use plexspaces_sdk::prelude::*;
use serde_json::{Value as Json, json};

pub fn call(function: &str, a: &Arguments<'_>) -> Result<Json, Error> {
    Ok(match function {
        "upload" => json!(blob::upload(a.text(0)?, a.text(1)?.as_bytes(), &pairs(a, 2))?),
        "download" => json!(text(blob::download(a.text(0)?)?)),
        "download_range" => {
            json!(text(blob::download_range(a.text(0)?, a.unsigned(1)?, a.unsigned(2)?)?))
        }
        "delete" => json!(blob::delete(a.text(0)?)?),
        "exists" => json!(blob::exists(a.text(0)?)?),
        "metadata" => json!(blob::metadata(a.text(0)?)?.map(info)),
        "list_blobs" => {
            let limit = a.unsigned(2)?.try_into().map_err(Error::invalid_argument)?;
            let page = blob::list_blobs(a.text(0)?, a.optional_text(1), limit)?;
            let ids: Vec<_> = page.blobs.into_iter().map(|blob| blob.id).collect();
            json!({ "ids": ids, "cursor": page.cursor })
        }
        "copy" => json!(blob::copy(a.text(0)?, a.text(1)?)?),
        "begin_upload" => json!(blob::begin_upload(a.text(0)?, &pairs(a, 1))?.name()),
        "upload_part" => json!(Upload::resume(a.text(0)?).part(a.text(1)?.as_bytes())?),
        "complete_upload" => info(Upload::resume(a.text(0)?).complete()?),
        "abort_upload" => json!(Upload::resume(a.text(0)?).abort()?),
        "download_of" => {
            let blobs = Blobs::of(Context::of_tenant(a.text(0)?, a.text(1)?));
            json!(text(blobs.download(a.text(2)?)?))
        }
        // Adds `length` bytes of noise to an upload, in parts of `at_once`.
        "upload_noise" => {
            let (mut upload, length, at_once) = (Upload::resume(a.text(0)?), a.unsigned(1)?, a.unsigned(2)?);
            let mut at = a.unsigned(3)?;
            let end = at + length;
            while at < end {
                let part = noise(at, at_once.min(end - at));
                at += part.len() as u64;
                upload.part(&part)?;
            }
            Json::Null
        }
        // Reads `length` bytes from `offset` on, `at_once` at once, and says how many of them are the noise that was uploaded.
        "check_noise" => {
            let (id, at_once, from) = (a.text(0)?, a.unsigned(2)?, a.unsigned(3)?);
            let (mut at, end) = (from, from + a.unsigned(1)?);
            while at < end {
                let part = blob::download_range(id, at, at_once.min(end - at))?;
                if part.is_empty() || part != noise(at, part.len() as u64) {
                    break;
                }
                at += part.len() as u64;
            }
            json!(at - from)
        }
        _ => return Err(unknown(function)),
    })
}

/// Bytes that depend on their place only; both are multiples of 8.
fn noise(at: u64, length: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length as usize);
    for word in at / 8..(at + length).div_ceil(8) {
        let mut x = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bytes.extend_from_slice(&(x ^ (x >> 31)).to_le_bytes());
    }
    bytes
}

fn info(info: BlobInfo) -> Json {
    json!({ "id": info.id, "size": info.size, "etag": info.etag, "metadata": info.metadata,
            "replaced": info.updated_ms > info.created_ms })
}

fn pairs<'a>(a: &'a Arguments<'_>, n: usize) -> Vec<(&'a str, &'a str)> {
    let Some(object) = a.get(n).as_object() else {
        return Vec::new();
    };
    object.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default())).collect()
}
