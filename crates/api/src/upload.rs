//! A deployment's upload: a multipart form of one field each, checked while it is read.

use crate::body::{self, LINGER};
use axum::extract::multipart::{Field, Multipart};
use axum::extract::{FromRequest as _, Request};
use bytes::{Bytes, BytesMut};
use plexspaces_core::{Code, Error, Result};
use plexspaces_node::Deploy;

/// The largest component.
const WASM_BYTES_MAX: usize = 128 << 20;
/// The largest config.
const CONFIG_BYTES_MAX: usize = 1 << 20;
/// The largest of the other fields; what is sensible in it is much shorter.
const TEXT_BYTES_MAX: usize = 4 << 10;
/// All of them, and the multipart's own words.
const WHOLE_BYTES_MAX: u64 = (WASM_BYTES_MAX + CONFIG_BYTES_MAX + (64 << 10)) as u64;

/// Reads the upload.
///
/// # Errors
/// `PS1005` for a field that is missing, unknown, given twice, not text or cut off; `PS2005` for one that is too
/// large.
pub(crate) async fn read(request: Request) -> Result<Deploy> {
    if body::announced(request.headers()).is_some_and(|length| length > WHOLE_BYTES_MAX) {
        let (head, content) = request.into_parts();
        body::discard(content, &head.headers).await;
        return Err(too_large("upload", WHOLE_BYTES_MAX));
    }
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|rejection| {
            malformed(format!(
                "a deployment is an upload of multipart/form-data: {}",
                rejection.body_text()
            ))
        })?;
    let read = fields(&mut form).await;
    if read.is_err() {
        // As for any body; see `LINGER`.
        let rest = async { while let Ok(Some(_)) = form.next_field().await {} };
        let _ = tokio::time::timeout(LINGER, rest).await;
    }
    read?.complete()
}

/// What has been read so far.
#[derive(Default)]
struct Fields {
    application_id: Option<String>,
    name: Option<String>,
    version: Option<String>,
    wasm_file: Option<Bytes>,
    config: Option<String>,
}

async fn fields(form: &mut Multipart) -> Result<Fields> {
    let mut fields = Fields::default();
    while let Some(mut field) = form
        .next_field()
        .await
        .map_err(|e| broken("form", &e.body_text()))?
    {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "application_id" => {
                text(
                    &mut fields.application_id,
                    &mut field,
                    &name,
                    TEXT_BYTES_MAX,
                )
                .await?
            }
            "name" => text(&mut fields.name, &mut field, &name, TEXT_BYTES_MAX).await?,
            "version" => text(&mut fields.version, &mut field, &name, TEXT_BYTES_MAX).await?,
            "config" => text(&mut fields.config, &mut field, &name, CONFIG_BYTES_MAX).await?,
            "wasm_file" => {
                absent(&fields.wasm_file, &name)?;
                fields.wasm_file = Some(bytes(&mut field, &name, WASM_BYTES_MAX).await?);
            }
            _ => {
                return Err(malformed(format!(
                    "the field {name:?} is unknown; a deployment has application_id, name, version, wasm_file and, \
                     if it likes, config"
                )));
            }
        }
    }
    Ok(fields)
}

impl Fields {
    fn complete(self) -> Result<Deploy> {
        let Fields {
            application_id,
            name,
            version,
            wasm_file,
            config,
        } = self;
        match (application_id, name, version, wasm_file) {
            (Some(application_id), Some(name), Some(version), Some(wasm)) => Ok(Deploy {
                application_id,
                name,
                version,
                wasm,
                config,
            }),
            (application_id, name, version, wasm_file) => {
                let missing: Vec<&str> = [
                    ("application_id", application_id.is_none()),
                    ("name", name.is_none()),
                    ("version", version.is_none()),
                    ("wasm_file", wasm_file.is_none()),
                ]
                .into_iter()
                .filter_map(|(field, missing)| missing.then_some(field))
                .collect();
                Err(malformed(format!(
                    "the upload lacks {}",
                    missing.join(", ")
                )))
            }
        }
    }
}

async fn text(
    slot: &mut Option<String>,
    field: &mut Field<'_>,
    name: &str,
    max: usize,
) -> Result<()> {
    absent(slot, name)?;
    let bytes = bytes(field, name, max).await?;
    let text = String::from_utf8(bytes.into())
        .map_err(|_| malformed(format!("the field {name} is not UTF-8")))?;
    *slot = Some(text);
    Ok(())
}

fn absent<T>(slot: &Option<T>, name: &str) -> Result<()> {
    match slot {
        None => Ok(()),
        Some(_) => Err(malformed(format!("the field {name} is given twice"))),
    }
}

async fn bytes(field: &mut Field<'_>, name: &str, max: usize) -> Result<Bytes> {
    let mut whole = BytesMut::new();
    while let Some(piece) = field
        .chunk()
        .await
        .map_err(|e| broken(name, &e.body_text()))?
    {
        if whole.len() + piece.len() > max {
            return Err(too_large(name, max as u64));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

fn broken(what: &str, why: &str) -> Error {
    malformed(format!(
        "the upload breaks off or is malformed in its {what}: {why}"
    ))
}

fn malformed(message: String) -> Error {
    Error::new(Code::MalformedRequest, message)
}

fn too_large(what: &str, limit: u64) -> Error {
    Error::new(
        Code::UploadTooLarge,
        format!("the {what} is over the limit of {limit} bytes"),
    )
    .with("limit", limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn form(parts: &[(&str, &str)], end: &str) -> Request {
        let mut content: String = parts
            .iter()
            .map(|(name, value)| {
                format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
            })
            .collect();
        content.push_str(end);
        Request::post("/")
            .header("content-type", "multipart/form-data; boundary=X")
            .body(Body::from(content))
            .unwrap()
    }

    const WHOLE: [(&str, &str); 4] = [
        ("application_id", "a"),
        ("name", "n"),
        ("version", "1"),
        ("wasm_file", "w"),
    ];

    #[tokio::test]
    async fn a_whole_form_is_a_deployment() {
        let deploy = read(form(&WHOLE, "--X--\r\n")).await.unwrap();
        assert_eq!(
            (
                deploy.application_id.as_str(),
                &deploy.wasm[..],
                deploy.config
            ),
            ("a", &b"w"[..], None)
        );
    }

    #[tokio::test]
    async fn what_is_wrong_is_named() {
        let twice = [WHOLE[0], WHOLE[0]];
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        for (parts, end, code, says) in [
            (
                &WHOLE[..3],
                "--X--\r\n",
                Code::MalformedRequest,
                "lacks wasm_file",
            ),
            (
                &[],
                "--X--\r\n",
                Code::MalformedRequest,
                "lacks application_id, name, version, wasm_file",
            ),
            (
                &[("wsam_file", "")],
                "--X--\r\n",
                Code::MalformedRequest,
                "wsam_file",
            ),
            (
                &twice,
                "--X--\r\n",
                Code::MalformedRequest,
                "application_id is given twice",
            ),
            (&WHOLE, "", Code::MalformedRequest, "breaks off"),
            (
                &[("name", long.as_str())],
                "--X--\r\n",
                Code::UploadTooLarge,
                "name is over",
            ),
        ] {
            let error = read(form(parts, end)).await.err().unwrap();
            assert_eq!(error.code, code, "{says}: {}", error.message);
            assert!(error.message.contains(says), "{says}: {}", error.message);
        }
    }

    #[tokio::test]
    async fn another_content_type_is_refused() {
        let request = Request::post("/")
            .header("content-type", "text/plain")
            .body(Body::empty())
            .unwrap();
        assert_eq!(
            read(request).await.err().unwrap().code,
            Code::MalformedRequest
        );
    }
}
