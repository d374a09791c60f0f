//! Maps and lists written as text inside a JSON patch: JSON, or the spelling that Python's `repr` gives them.
//!
//! The CLI, Horizon and Terraform send `{'a': 'b'}`; people send `{"a": true}`. The first that can be read counts.

use serde_json::{Map, Number, Value};

/// How deep maps and lists may be nested.
const DEPTH: usize = 8;

/// The value that the text spells, in either language.
#[must_use]
pub fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| {
        let mut reader = Reader { rest: text };
        let value = reader.value(DEPTH)?;
        reader.skip_space();
        reader.rest.is_empty().then_some(value)
    })
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        self.skip_space();
        match self.rest.chars().next()? {
            '{' => self.map(depth),
            '[' => self.list("[", "]", depth),
            '(' => self.list("(", ")", depth),
            '\'' | '"' | 'u' | 'U' | 'b' => self.text().map(Value::from),
            _ => self.word(),
        }
    }

    fn map(&mut self, depth: usize) -> Option<Value> {
        let mut map = Map::new();
        self.take("{");
        while !self.take("}") {
            self.skip_space();
            let key = self.text()?;
            if !self.take(":") {
                return None;
            }
            map.insert(key, self.value(depth)?);
            if !self.take(",") {
                return self.take("}").then_some(map.into());
            }
        }
        Some(map.into())
    }

    fn list(&mut self, open: &str, close: &str, depth: usize) -> Option<Value> {
        let mut list = Vec::new();
        self.take(open);
        while !self.take(close) {
            list.push(self.value(depth)?);
            if !self.take(",") {
                return self.take(close).then_some(list.into());
            }
        }
        Some(list.into())
    }

    /// A quoted text, with the `u` that old clients put in front.
    fn text(&mut self) -> Option<String> {
        let rest = self.rest.strip_prefix(['u', 'U']).unwrap_or(self.rest);
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let mut text = String::new();
        let mut chars = rest[1..].chars();
        loop {
            match chars.next()? {
                '\\' => text.extend(escaped(&mut chars)?),
                '\n' => return None,
                c if c == quote => break,
                c => text.push(c),
            }
        }
        self.rest = chars.as_str();
        Some(text)
    }

    /// A number or a name of Python's.
    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find([',', '}', ']', ')', ':']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word.trim() {
            "True" | "true" => Some(true.into()),
            "False" | "false" => Some(false.into()),
            "None" | "null" => Some(Value::Null),
            word => match word.parse::<i64>() {
                Ok(number) => Some(number.into()),
                Err(_) if word.contains(|c: char| c.is_ascii_digit()) => {
                    word.parse().ok().and_then(Number::from_f64).map(Value::Number)
                }
                Err(_) => None,
            },
        }
    }
}

/// What follows a backslash; an unknown escape stands for itself.
fn escaped(chars: &mut std::str::Chars<'_>) -> Option<Vec<char>> {
    Some(match chars.next()? {
        'n' => vec!['\n'],
        't' => vec!['\t'],
        'r' => vec!['\r'],
        '\n' => vec![],
        c @ ('\\' | '\'' | '"') => vec![c],
        'x' => vec![coded(chars, 2)?],
        'u' => vec![coded(chars, 4)?],
        'U' => vec![coded(chars, 8)?],
        c => vec!['\\', c],
    })
}

fn coded(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let mut code = 0;
    for _ in 0..digits {
        code = code * 16 + chars.next()?.to_digit(16)?;
    }
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_are_read() {
        for (text, value) in [
            (r#"{"a": true, "b": null, "c": 1.5}"#, json!({"a": true, "b": null, "c": 1.5})),
            (
                "{'a': 'b', \"c\": True, 'd': None, 'e': -3, 'f': 1e3,}",
                json!({"a": "b", "c": true, "d": null, "e": -3, "f": 1000.0}),
            ),
            ("{}", json!({})),
            ("{u'a': u'it\\'s \\u00fc \\x41 \\n'}", json!({"a": "it's ü A \n"})),
            (
                "[{'key': 'k', 'effect': 'NoSchedule'}, ('x', 'y')]",
                json!([{"key": "k", "effect": "NoSchedule"}, ["x", "y"]]),
            ),
            (" {'a' : {'b':[1 , 2]} } ", json!({"a": {"b": [1, 2]}})),
        ] {
            assert_eq!(parse(text), Some(value), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "{",
            "{'a'}",
            "{'a': }",
            "{'a': 'b'} x",
            "{'a': __import__('os')}",
            "{1: 2}",
            "{'a': 'b",
            "a=b",
            "{'a': inf}",
            "{'a': nan}",
            "{'a': '\\xZZ'}",
            "{'a' 'b'}",
            "{,}",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&format!("{}'x'{}", "[".repeat(1000), "]".repeat(1000))), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\](){}'\",:uUbTrueFalsN0-9e. \\\\x\\PC]{0,60}") {
            let _ = parse(&text);
        }
    }
}
