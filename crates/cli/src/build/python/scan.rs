//! What a Python file defines and imports, read from its text.
//!
//! No Python is run for this: the interpreter at hand may be older than the one in the component. The scan knows strings,
//! comments, brackets and indentation, and no more; whether the file is valid is for componentize-py's own Python to say.

use std::collections::BTreeSet;

/// The findings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Names bound at the top level by `def`, assignment or `from ... import`.
    names: BTreeSet<String>,
    /// Every import in the file, those inside functions too.
    pub(super) imports: Vec<Import>,
    /// Where something was opened that the file's end left open: the line, and what.
    pub(super) unclosed: Option<(usize, &'static str)>,
}

/// `import module` or `from module import names`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// How many dots stand before the module's name.
    pub(super) level: usize,
    pub(super) module: String,
    pub(super) names: Vec<String>,
}

impl Scan {
    pub(super) fn of(text: &str) -> Scan {
        let mut scan = Scan::default();
        let (lines, unclosed) = logical_lines(text);
        scan.unclosed = unclosed;
        // The indentation of an `if` whose block does not run in an actor.
        let mut skipped: Option<usize> = None;
        for line in &lines {
            if skipped.is_some_and(|indent| line.indent > indent) {
                continue;
            }
            let idle = line.code.starts_with("if __name__")
                || line.code.starts_with("if TYPE_CHECKING")
                || line.code.starts_with("if typing.TYPE_CHECKING");
            skipped = idle.then_some(line.indent);
            if !idle {
                for statement in line.code.split(';') {
                    scan.statement(statement.trim(), line.indent == 0);
                }
            }
        }
        scan
    }

    /// Whether the file binds `name` at its top level.
    pub(super) fn defines(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    fn statement(&mut self, statement: &str, is_top: bool) {
        // `try: import a` and its like: what counts stands after the colon.
        let statement = ["import ", "from "]
            .into_iter()
            .find_map(|word| {
                statement
                    .split_once(&format!(": {word}"))
                    .map(|(_, rest)| format!("{word}{rest}"))
            })
            .unwrap_or_else(|| statement.to_owned());
        let mut bound = Vec::new();
        if let Some(rest) = statement.strip_prefix("import ") {
            for part in rest.split(',') {
                let module = part.split_whitespace().next().unwrap_or_default();
                if is_dotted_name(module) {
                    self.imports.push(Import {
                        level: 0,
                        module: module.to_owned(),
                        names: Vec::new(),
                    });
                }
            }
        } else if let Some(rest) = statement.strip_prefix("from") {
            bound = self.take_from_import(rest);
        } else if let Some(rest) = statement
            .strip_prefix("def ")
            .or_else(|| statement.strip_prefix("async def "))
        {
            bound.extend(leading_name(rest));
        } else if let Some(name) = leading_name(&statement) {
            let rest = statement[name.len()..].trim_start();
            if (rest.starts_with('=') && !rest.starts_with("=="))
                || (rest.starts_with(':') && rest.contains('='))
            {
                bound.push(name);
            }
        }
        if is_top {
            self.names.extend(bound);
        }
    }

    /// Takes what follows `from`, and gives the names that it binds.
    fn take_from_import(&mut self, rest: &str) -> Vec<String> {
        let Some((from, names)) = rest
            .split_once(" import")
            .or_else(|| rest.split_once(".import"))
        else {
            return Vec::new();
        };
        let from = from.trim();
        let module = from.trim_start_matches('.');
        if !(module.is_empty() || is_dotted_name(module)) {
            return Vec::new();
        }
        let mut import = Import {
            level: from.len() - module.len(),
            module: module.to_owned(),
            names: Vec::new(),
        };
        let mut bound = Vec::new();
        for part in names
            .trim()
            .trim_start_matches('(')
            .trim_end_matches(')')
            .split(',')
        {
            let words: Vec<_> = part.split_whitespace().collect();
            match words[..] {
                [name] if is_dotted_name(name) => bound.push(name.to_owned()),
                [_, "as", alias] => bound.push(alias.to_owned()),
                _ => continue,
            }
            import.names.push(words[0].to_owned());
        }
        self.imports.push(import);
        bound
    }
}

fn leading_name(text: &str) -> Option<String> {
    let name: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    Some(name).filter(|name| is_dotted_name(name))
}

fn is_dotted_name(text: &str) -> bool {
    !text.is_empty()
        && text.split('.').all(|part| {
            part.chars()
                .next()
                .is_some_and(|c| c.is_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        })
}

/// A statement's line with its continuation lines, without comments and without what stands in strings.
struct Line {
    indent: usize,
    code: String,
}

fn logical_lines(text: &str) -> (Vec<Line>, Option<(usize, &'static str)>) {
    let mut lines = Vec::new();
    let mut code = String::new();
    let mut open: Vec<(usize, &'static str)> = Vec::new();
    let mut unclosed_string = None;
    let mut number = 1;
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);

    while let Some(c) = rest.chars().next() {
        match c {
            '#' => rest = &rest[rest.find('\n').unwrap_or(rest.len())..],
            '"' | '\'' => {
                let (len, is_closed) = string_len(rest);
                // One that ends with its line hides nothing that follows.
                if !is_closed && len == rest.len() {
                    unclosed_string = Some((number, "a string"));
                }
                number += rest[..len].matches('\n').count();
                code.push_str("\"\"");
                rest = &rest[len..];
            }
            '\\' if rest[1..].starts_with('\n') || rest[1..].starts_with("\r\n") => {
                number += 1;
                code.push(' ');
                rest = &rest[rest.find('\n').unwrap_or(0) + 1..];
            }
            '\n' => {
                number += 1;
                if open.is_empty() {
                    finish(&mut lines, &mut code);
                } else {
                    code.push(' ');
                }
                rest = &rest[1..];
            }
            _ => {
                match c {
                    '(' => open.push((number, "'('")),
                    '[' => open.push((number, "'['")),
                    '{' => open.push((number, "'{'")),
                    ')' | ']' | '}' => {
                        open.pop();
                    }
                    _ => {}
                }
                code.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    finish(&mut lines, &mut code);
    (lines, unclosed_string.or_else(|| open.first().copied()))
}

fn finish(lines: &mut Vec<Line>, code: &mut String) {
    let indent = code.len() - code.trim_start().len();
    if !code.trim().is_empty() {
        lines.push(Line {
            indent,
            code: code.trim().to_owned(),
        });
    }
    code.clear();
}

/// The length in bytes of the string literal at the start of `text`, and whether it is closed. A one-line string
/// that is not closed ends with its line.
fn string_len(text: &str) -> (usize, bool) {
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let closing = if text.starts_with(&triple) {
        triple.as_str()
    } else {
        quote
    };
    let mut at = closing.len();
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(closing) {
            return (at + closing.len(), true);
        }
        if rest.starts_with('\n') && closing.len() == 1 {
            return (at, false);
        }
        // A backslash takes the next character with it, in raw strings too as far as the end is concerned.
        let skipped = if rest.starts_with('\\') { 2 } else { 1 };
        at += rest
            .chars()
            .take(skipped)
            .map(char::len_utf8)
            .sum::<usize>();
    }
    (text.len(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        Scan::of(text).names.into_iter().collect()
    }

    fn imports(text: &str) -> Vec<String> {
        Scan::of(text)
            .imports
            .iter()
            .map(|i| {
                format!("{}{} {}", ".".repeat(i.level), i.module, i.names.join("+"))
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn top_level_functions_and_names_count() {
        let text = "def a(x,\n  y):\n    def inner(): pass\n    z = 1\nasync def b(): pass\nc = 1\nd: int = 2\ne == 3\nf()\nif x:\n    def g(): pass\n";
        assert_eq!(names(text), ["a", "b", "c", "d"]);
        assert_eq!(
            names("from m import (a,\n  b as c,\n)\nfrom n import *\nimport o\n"),
            ["a", "c"]
        );
    }

    #[test]
    fn strings_and_comments_define_nothing() {
        for text in [
            "\"\"\"\ndef a(): pass\n\"\"\"\n",
            "x('''\ndef a(): pass\n''')\n",
            "# def a(): pass\n",
            "s('it\\'s') # '\n#def a(): pass\n",
            "f(\ndef_a = 1\n)\n",
            "r'\\'\n'''\ndef a(): pass\n'''\n",
        ] {
            assert_eq!(names(text), [""; 0], "{text}");
        }
        assert_eq!(names("x = 'unclosed\ndef a(): pass\n"), ["a", "x"]);
        assert_eq!(names("x = 1 + \\\n  2\ndef a(): pass\n"), ["a", "x"]);
        assert_eq!(
            names("\u{feff}def a(): pass\r\ndef ü(): pass\r\n"),
            ["a", "ü"]
        );
    }

    #[test]
    fn imports_are_found_at_every_depth() {
        let text = "import a, b.c as d\ndef f():\n    import json\n    from x.y import (z,\n      w as v)\ntry: import u\nexcept: pass\nx = 1; import s\n";
        assert_eq!(imports(text), ["a", "b.c", "json", "x.y z+w", "u", "s"]);
        assert_eq!(
            imports("from . import a\nfrom .b import c\nfrom ..d.e import f\n"),
            [". a", ".b c", "..d.e f"]
        );
        assert_eq!(
            imports("# import a\n'import b'\nimportant = 1\nfromage = 2\nyield_from = x.imports\n"),
            [""; 0]
        );
    }

    #[test]
    fn blocks_that_do_not_run_in_an_actor_are_left_out() {
        let text = "if TYPE_CHECKING:\n    import a\n    if x:\n        import b\nimport c\nif __name__ == '__main__':\n    import d\nelse:\n    import e\n";
        assert_eq!(imports(text), ["c", "e"]);
    }

    #[test]
    fn what_stays_open_is_told() {
        assert_eq!(Scan::of("a = [\n1").unclosed, Some((1, "'['")));
        assert_eq!(Scan::of("a\nb = '''\n1").unclosed, Some((2, "a string")));
        assert_eq!(Scan::of("a = (1)\n").unclosed, None);
    }
}
