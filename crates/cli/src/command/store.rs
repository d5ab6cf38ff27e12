//! `plexspaces store`: what is done to a node's data while the node is stopped.

use crate::data::{self, BLOBS, COPYING, Kind, Place, Tree, sync};
use crate::output;
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use plexspaces_core::{Code, Error};
use plexspaces_store::copy::{Same, Totals, compare, copy};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What to do with a store.
#[derive(Args)]
#[command(after_help = COPY_EXAMPLE)]
pub(crate) struct Store {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Copy a stopped node's data into another folder and another kind of store, and verify the copy
    Copy(Copy),
}

/// Also that of `store`, which has nothing else.
const COPY_EXAMPLE: &str = "Example:\n  \
    plexspaces store copy fjall:./plexspaces-data sqlite:./plexspaces-sqlite";

/// The options of `copy`.
#[derive(Args)]
#[command(after_help = COPY_EXAMPLE)]
struct Copy {
    /// The data folder of a stopped node, as `fjall:FOLDER`, `sqlite:FOLDER` or FOLDER, which knows what it is
    #[arg(value_name = "FROM")]
    from: Place,
    /// The data folder to make, as `fjall:FOLDER` or `sqlite:FOLDER`; it must be empty or missing
    #[arg(value_name = "TO")]
    to: Place,
}

impl Store {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::Copy(copy) => copy.run().await,
        }
    }
}

impl Copy {
    /// All of it is made in a folder of its own inside of TO, and moved to its places when it was verified: a node
    /// never starts with half a copy.
    async fn run(self) -> Result<()> {
        let Some(to_kind) = self.to.kind else {
            bail!(
                "TO has to say which store to make: fjall:{0} or sqlite:{0}",
                self.to.folder.display()
            );
        };
        let (from, to) = (&self.from.folder, &self.to.folder);
        let (from_kind, original) = data::open_existing(from, self.from.kind)?;
        let copying = make_place(from, to)?;
        let made = async {
            let (same, blobs) = make(&*original, from, &copying, to_kind).await?;
            move_in(&copying, to, to_kind).with_context(|| {
                format!(
                    "cannot move the finished copy to its place in {}",
                    to.display()
                )
            })?;
            anyhow::Ok(report(from, from_kind, to, to_kind, &same, blobs))
        };
        match made.await {
            Ok(report) => output::line(&report),
            Err(error) => {
                // Half a copy is of no use; if it stays nevertheless, no node starts with it.
                let _ = fs::remove_dir_all(&copying);
                Err(error)
            }
        }
    }
}

/// Makes the copy in `copying`, and verifies it.
async fn make(
    original: &dyn plexspaces_store::Store,
    from: &Path,
    copying: &Path,
    to_kind: Kind,
) -> Result<(Same, Option<Tree>)> {
    let progress = Progress::new();
    // Versions go on after all that the original has given: none is used for two things.
    let after = original.visible().into();
    let store = data::open_copy(copying, to_kind, after)?;
    let copied = copy(original, &*store, |totals| progress.rows("copying", totals)).await?;
    store.close().await?;
    drop(store);
    let blobs = copy_blobs(from, copying, &progress)?;

    // From the disk, as a node will find it.
    let store = data::open_copy(copying, to_kind, after)?;
    let same = compare(original, &*store, |totals| {
        progress.rows("verifying", totals)
    })
    .await
    .map_err(|error| Error::new(Code::Corrupt, error.to_string()))?;
    store.close().await?;
    if same.totals != copied {
        bail!("{copied:?} were copied, and {:?} verified", same.totals);
    }
    progress.done();
    Ok((same, blobs))
}

/// Makes TO, which has to be empty, and the folder in it in which the copy is made.
fn make_place(from: &Path, to: &Path) -> Result<PathBuf, Error> {
    let refused = |error: std::io::Error| data::unusable(to, &error);
    let why = if to.join(COPYING).exists() {
        "holds a copy that was not finished: remove the folder and copy again"
    } else if !data::is_empty(to).map_err(refused)? {
        "is not empty: name a new folder for the copy"
    } else if absolute(to)
        .map_err(refused)?
        .starts_with(absolute(from).map_err(refused)?)
    {
        "lies in the folder that is copied: name another one for the copy"
    } else {
        fs::create_dir_all(to).map_err(refused)?;
        let copying = to.join(COPYING);
        // If another copy is faster, one of the two ends here.
        fs::create_dir(&copying).map_err(refused)?;
        return Ok(copying);
    };
    Err(Error::new(
        Code::DataFolderUnusable,
        format!("{} {why}", to.display()),
    ))
}

/// The path without links, as far as it exists.
fn absolute(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    for parent in path.ancestors() {
        if let Ok(found) = parent.canonicalize() {
            let rest = path.strip_prefix(parent).expect("an ancestor");
            return Ok(found.join(rest));
        }
    }
    Ok(path)
}

/// Copies the blobs, if there are any, and compares them.
fn copy_blobs(from: &Path, copying: &Path, progress: &Progress) -> Result<Option<Tree>> {
    let (from, to) = (from.join(BLOBS), copying.join(BLOBS));
    if !from.try_exists()? {
        return Ok(None);
    }
    let mut bytes = 0;
    Tree::copy(&from, &to, &mut |more| {
        bytes += more;
        progress.blobs(bytes);
    })
    .with_context(|| format!("cannot copy {}", from.display()))?;
    let original = Tree::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
    let copy = Tree::read(&to).with_context(|| format!("cannot read {}", to.display()))?;
    if original != copy {
        bail!(Error::new(
            Code::Corrupt,
            format!("the copy of {} differs from it", from.display())
        ));
    }
    Ok(Some(copy))
}

/// Moves what was made to where a node looks for it; the rows last, since they refer to the rest.
fn move_in(copying: &Path, to: &Path, kind: Kind) -> std::io::Result<()> {
    sync(copying)?;
    if copying.join(BLOBS).exists() {
        fs::rename(copying.join(BLOBS), to.join(BLOBS))?;
    }
    fs::rename(copying.join(kind.folder()), to.join(kind.folder()))?;
    sync(to)?;
    fs::remove_dir(copying)?;
    sync(to)
}

fn report(
    from: &Path,
    from_kind: Kind,
    to: &Path,
    to_kind: Kind,
    same: &Same,
    blobs: Option<Tree>,
) -> String {
    let (from, to) = (from.display(), to.display());
    let Totals { rows, bytes } = same.totals;
    let mut report = format!(
        "copied {from_kind}:{from} to {to_kind}:{to}, read both again and found them equal\n\
         rows   {rows}, {}, sha256 {}\n",
        output::size(bytes),
        hex(&same.sha256)
    );
    if let Some(blobs) = blobs {
        let _ = writeln!(
            report,
            "blobs  {} files, {}, sha256 {}",
            blobs.files,
            output::size(blobs.bytes),
            hex(&blobs.sha256)
        );
    }
    report + &format!("start a node with it: plexspaces start --store {to_kind} --data-dir {to}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tells how far it is, on stderr and only at a terminal. How far it has to go nobody knows before the end.
struct Progress(ProgressBar);

impl Progress {
    fn new() -> Self {
        let spinner = ProgressBar::new_spinner();
        spinner.enable_steady_tick(Duration::from_millis(100));
        Progress(spinner)
    }

    fn rows(&self, doing: &str, Totals { rows, bytes }: Totals) {
        let size = output::size(bytes);
        self.0.set_message(format!("{doing} rows: {rows}, {size}"));
    }

    fn blobs(&self, bytes: u64) {
        let size = output::size(bytes);
        self.0.set_message(format!("copying blobs: {size}"));
    }

    fn done(&self) {
        self.0.finish_and_clear();
    }
}
