//! componentize-py's failures in the author's terms.
//!
//! It imports the author's file inside the WebAssembly Python, so a mistake in the file comes back as a traceback with
//! that Python's paths, between the tool's own stack. What concerns the author is picked out, with the author's paths.

use std::path::Path;

use super::APP;

/// Where componentize-py shows the build's folder to Python.
const ROOT: &str = "/0/";

/// An account of a failed run for the author of `source`.
pub(super) fn explain(stderr: &str, stdout: &str, source: &Path) -> String {
    let at = source.display();
    if let Some(function) = called_host(stderr) {
        return format!(
            "{at} calls the host's {function} while it is imported, which happens when the component is built: \
             call the host from a handler or from init"
        );
    }
    match Failure::find(stderr, source) {
        Some(failure) => failure.text(source),
        None => {
            let said = strip_stack(stderr).trim();
            let said = if said.is_empty() { stdout.trim() } else { said };
            format!(
                "componentize-py could not build {at}, and it is not a mistake in the file:\n{said}"
            )
        }
    }
}

fn called_host(stderr: &str) -> Option<&str> {
    let (_, rest) = stderr.split_once("called trapping stub: plexspaces:actor/")?;
    rest.lines().next()
}

/// The output without the Rust stack and the list of causes, which repeats the traceback's end.
fn strip_stack(stderr: &str) -> &str {
    let end = ["\nStack backtrace:", "\nCaused by:"]
        .iter()
        .filter_map(|mark| stderr.find(mark))
        .min();
    &stderr[..end.unwrap_or(stderr.len())]
}

/// A Python traceback, reduced to the author's frames.
struct Failure {
    /// The last frame's path and line.
    at: Option<(String, String)>,
    frames: Vec<String>,
    exception: String,
}

impl Failure {
    fn find(stderr: &str, source: &Path) -> Option<Failure> {
        // The first traceback is that of the tool's own start script; what it raised holds the author's.
        let (_, inner) = strip_stack(stderr).split_once("AssertionError: ")?;
        let folder = source.parent().unwrap_or(Path::new(""));
        let mut failure = Failure {
            at: None,
            frames: Vec::new(),
            exception: String::new(),
        };
        let mut is_author = false;
        for line in inner.lines() {
            if let Some((path, rest)) = frame(line) {
                let name = path.strip_prefix(ROOT).filter(|name| {
                    !name.starts_with("plexspaces/") && *name != format!("{APP}.py")
                });
                is_author = name.is_some();
                if let Some(name) = name {
                    let path = folder.join(name).display().to_string();
                    let number = rest
                        .split(|c: char| !c.is_ascii_digit())
                        .find(|part| !part.is_empty());
                    failure.frames.push(format!("  File \"{path}\"{rest}"));
                    failure.at = Some((path, number.unwrap_or_default().to_owned()));
                }
            } else if line.starts_with("    ") {
                if is_author {
                    failure.frames.push(line.to_owned());
                }
            } else if !line.starts_with("Traceback ") && !line.trim().is_empty() {
                failure.exception = line.trim().to_owned();
            }
        }
        // A traceback's last word is "SomeError: text" or "SomeError"; anything else is the tool's own trouble.
        let name = failure.exception.split(':').next().unwrap_or_default();
        let is_exception = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || c == '.' || c == '_');
        (is_exception && inner.contains("Traceback ")).then_some(failure)
    }

    fn text(&self, source: &Path) -> String {
        let exception = self.exception.replace(ROOT, "");
        let mut text = match &self.at {
            Some((path, line)) => format!("{path}:{line}: {exception}"),
            None => format!("{}: {exception}", source.display()),
        };
        for line in &self.frames {
            text.push('\n');
            text.push_str(line);
        }
        if let Some(module) = exception.strip_prefix("ModuleNotFoundError: No module named ") {
            let package = module
                .trim_matches('\'')
                .split('.')
                .next()
                .unwrap_or_default();
            text.push_str(&format!(
                "\nThe build looks beside the file, in Python's standard library and in the packages of the virtual environment: \
                 `pip install {package}` there, if it is a package in pure Python"
            ));
        }
        if exception.starts_with("FileNotFoundError: ") {
            text.push_str("\nAn actor has no files, and neither has its build: put the data into a module that the file imports");
        }
        text
    }
}

/// The path and the rest of a traceback's line `  File "path", line 3, in f`.
fn frame(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim_start().strip_prefix("File \"")?;
    let end = rest.find('"')?;
    Some((&rest[..end], &rest[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "Traceback (most recent call last):\n  File \"/v/bin/componentize-py\", line 8, in <module>\n    sys.exit(script())\n             ^^^^^^^^\nAssertionError: Traceback (most recent call last):\n  File \"/0/plexspaces_app.py\", line 5, in <module>\n    _actor = _adapter.load(\n  File \"/0/plexspaces/_adapter.py\", line 40, in load\n    module = importlib.import_module(actor)\n";
    const STACK: &str = "\n\nCaused by:\n    SyntaxError: invalid syntax (a.py, line 4)\n\nStack backtrace:\n   0: <anyhow::Error>::msg\n";

    fn explained(middle: &str) -> String {
        explain(
            &format!("{START}{middle}{STACK}"),
            "",
            Path::new("src/a.py"),
        )
    }

    #[test]
    fn a_syntax_error_has_the_authors_file_and_line() {
        let text = explained(
            "  File \"/0/a.py\", line 4\n    def g(:\n          ^\nSyntaxError: invalid syntax\n",
        );
        assert_eq!(
            text,
            "src/a.py:4: SyntaxError: invalid syntax\n  File \"src/a.py\", line 4\n    def g(:\n          ^"
        );
    }

    #[test]
    fn an_exception_at_import_shows_only_the_authors_frames() {
        let text = explained(
            "  File \"/python/lib/python3.14/importlib/__init__.py\", line 88, in import_module\n    return _bootstrap\n  File \"/0/a.py\", line 1, in <module>\n    import b\n  File \"/0/b.py\", line 2, in x\n    raise ValueError(\"boom\")\nValueError: boom\n",
        );
        assert_eq!(
            text,
            "src/b.py:2: ValueError: boom\n  File \"src/a.py\", line 1, in <module>\n    import b\n  File \"src/b.py\", line 2, in x\n    raise ValueError(\"boom\")"
        );
    }

    #[test]
    fn a_missing_module_comes_with_advice() {
        let text = explained(
            "  File \"/0/a.py\", line 1, in <module>\n    import nope.x\nModuleNotFoundError: No module named 'nope'\n",
        );
        assert!(
            text.contains("src/a.py:1: ModuleNotFoundError") && text.contains("`pip install nope`"),
            "{text}"
        );
    }

    #[test]
    fn a_host_call_at_import_is_named() {
        let text = explain(
            "AssertionError: 1\n\nCaused by:\n    1: called trapping stub: plexspaces:actor/system@0.1.0#now\n",
            "",
            Path::new("a.py"),
        );
        assert!(
            text.starts_with("a.py calls the host's system@0.1.0#now while it is imported"),
            "{text}"
        );
    }

    #[test]
    fn other_failures_are_shown_without_the_stack() {
        let text = explain(
            "Error: disk is full\n\nStack backtrace:\n 0: x\n",
            "",
            Path::new("a.py"),
        );
        assert!(
            text.ends_with("not a mistake in the file:\nError: disk is full"),
            "{text}"
        );
    }
}
