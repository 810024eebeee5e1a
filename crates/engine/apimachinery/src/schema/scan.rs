//! A JSON scanner that borrows from its input and complains in the words of Go's `encoding/json`.

use std::borrow::Cow;

/// Values nested deeper than this are refused (upstream: 10,000; nothing real comes near either). What is stored has
/// these values inside others and is read with a limit of 128.
pub const MAX_DEPTH: usize = 100;

/// Lists and objects that one body may have: a few bytes each in JSON, hundreds in memory. (Upstream has no such bound;
/// an object of the largest size has a tenth.)
pub(super) const MAX_PARTS: usize = 250_000;

/// The input is not JSON. The text is upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct SyntaxError(pub(super) String);

/// What a value begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

pub(super) struct Scanner<'a> {
    text: &'a str,
    /// What `text` was made of: the same, except where it is not UTF-8.
    raw: &'a [u8],
    at: usize,
    depth: usize,
    parts: usize,
}

impl<'a> Scanner<'a> {
    /// Scans `text`, which is `raw` with replacement characters for what is not UTF-8.
    pub(super) fn new(text: &'a str, raw: &'a [u8]) -> Self {
        Self { text, raw, at: 0, depth: 0, parts: 0 }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    /// The byte of the input where the text stands.
    fn original(&self) -> Option<u8> {
        let (mut shown, mut read) = (0, 0);
        for chunk in self.raw.utf8_chunks() {
            let valid = chunk.valid().len();
            if self.at < shown + valid {
                return self.raw.get(read + self.at - shown).copied();
            }
            (shown, read) = (shown + valid, read + valid);
            if !chunk.invalid().is_empty() && self.at < shown + char::REPLACEMENT_CHARACTER.len_utf8() {
                return self.raw.get(read).copied();
            }
            (shown, read) = (shown + char::REPLACEMENT_CHARACTER.len_utf8(), read + chunk.invalid().len());
        }
        None
    }

    /// "invalid character …", or the end of input.
    fn wrong(&self, context: &str) -> SyntaxError {
        let Some(byte) = self.original() else {
            return SyntaxError("unexpected end of JSON input".to_owned());
        };
        let shown = match byte {
            b'\'' => "\\'".to_owned(),
            b'"' => "\"".to_owned(),
            b'\\' => "\\\\".to_owned(),
            0x07 => "\\a".to_owned(),
            0x08 => "\\b".to_owned(),
            b'\t' => "\\t".to_owned(),
            b'\n' => "\\n".to_owned(),
            0x0b => "\\v".to_owned(),
            0x0c => "\\f".to_owned(),
            b'\r' => "\\r".to_owned(),
            0..0x20 | 0x7f => format!("\\x{byte:02x}"),
            // Go takes the byte for a character, and does not print these.
            0x80..=0xa0 | 0xad => format!("\\u{byte:04x}"),
            _ => char::from(byte).to_string(),
        };
        SyntaxError(format!("invalid character '{shown}' {context}"))
    }

    /// Skips space and says what comes.
    pub(super) fn start(&mut self) -> Result<Start, SyntaxError> {
        self.space();
        match self.byte() {
            Some(b'{') => Ok(Start::Object),
            Some(b'[') => Ok(Start::Array),
            Some(b'"') => Ok(Start::String),
            Some(b'-' | b'0'..=b'9') => Ok(Start::Number),
            Some(b't' | b'f') => Ok(Start::Bool),
            Some(b'n') => Ok(Start::Null),
            _ => Err(self.wrong("looking for beginning of value")),
        }
    }

    pub(super) fn end(&mut self) -> Result<(), SyntaxError> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.wrong("after top-level value")) }
    }

    fn descend(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        self.parts += 1;
        if self.depth > MAX_DEPTH {
            return Err(SyntaxError("exceeded max depth".to_owned()));
        }
        if self.parts > MAX_PARTS {
            return Err(SyntaxError(format!("more than {MAX_PARTS} lists and objects")));
        }
        Ok(())
    }

    /// Enters an array; `None` from [`Scanner::next_element`] ends it.
    pub(super) fn open(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        self.descend()
    }

    /// Whether another element of the array follows; `first` before the first.
    pub(super) fn next_element(&mut self, first: bool) -> Result<bool, SyntaxError> {
        self.space();
        match (self.byte(), first) {
            (Some(b']'), _) => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            (Some(b','), false) => {
                self.at += 1;
                Ok(true)
            }
            (Some(_), true) => Ok(true),
            _ => Err(self.wrong("after array element")),
        }
    }

    /// The next key of the object, its colon read; `None` at the end.
    pub(super) fn next_key(&mut self, first: bool) -> Result<Option<Cow<'a, str>>, SyntaxError> {
        self.space();
        match (self.byte(), first) {
            (Some(b'}'), _) => {
                self.at += 1;
                self.depth -= 1;
                return Ok(None);
            }
            (Some(b','), false) => {
                self.at += 1;
                self.space();
            }
            (_, true) => {}
            _ => return Err(self.wrong("after object key:value pair")),
        }
        if self.byte() != Some(b'"') {
            return Err(self.wrong("looking for beginning of object key string"));
        }
        let key = self.string()?;
        self.space();
        if self.byte() != Some(b':') {
            return Err(self.wrong("after object key"));
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// A string, unescaped. The scanner stands on its opening quote.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, SyntaxError> {
        self.at += 1;
        let from = self.at;
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Borrowed(&self.text[from..self.at - 1]));
                }
                Some(b'\\') => break,
                Some(0x20..) => self.at += 1,
                _ => return Err(self.wrong("in string literal")),
            }
        }
        let mut out = String::from(&self.text[from..self.at]);
        loop {
            let run = self.at;
            while matches!(self.byte(), Some(b) if b >= 0x20 && b != b'"' && b != b'\\') {
                self.at += 1;
            }
            out.push_str(&self.text[run..self.at]);
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(out));
                }
                Some(b'\\') => self.escape(&mut out)?,
                _ => return Err(self.wrong("in string literal")),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), SyntaxError> {
        self.at += 1;
        let plain = match self.byte() {
            Some(b @ (b'"' | b'\\' | b'/')) => char::from(b),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(out),
            _ => return Err(self.wrong("in string escape code")),
        };
        self.at += 1;
        out.push(plain);
        Ok(())
    }

    /// `\uXXXX`, or two of them for a surrogate pair; a lone surrogate becomes U+FFFD, as in Go.
    fn unicode(&mut self, out: &mut String) -> Result<(), SyntaxError> {
        let first = self.hex4()?;
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let back = self.at;
            self.at += 1;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                return Ok(());
            }
            self.at = back;
        }
        out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32, SyntaxError> {
        self.at += 1;
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|b| char::from(b).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.wrong("in \\u hexadecimal character escape"))?;
            self.at += 1;
        }
        Ok(code)
    }

    /// The literal of a number.
    pub(super) fn number(&mut self) -> Result<&'a str, SyntaxError> {
        let from = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.wrong("in numeric literal")),
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            if !matches!(self.byte(), Some(b'0'..=b'9')) {
                return Err(self.wrong("after decimal point in numeric literal"));
            }
            self.digits();
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !matches!(self.byte(), Some(b'0'..=b'9')) {
                return Err(self.wrong("in exponent of numeric literal"));
            }
            self.digits();
        }
        Ok(&self.text[from..self.at])
    }

    fn digits(&mut self) {
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    pub(super) fn bool(&mut self) -> Result<bool, SyntaxError> {
        let value = self.byte() == Some(b't');
        self.word(if value { "true" } else { "false" })?;
        Ok(value)
    }

    pub(super) fn null(&mut self) -> Result<(), SyntaxError> {
        self.word("null")
    }

    fn word(&mut self, word: &str) -> Result<(), SyntaxError> {
        for expected in word.bytes() {
            if self.byte() != Some(expected) {
                return Err(self.wrong(&format!("in literal {word} (expecting '{}')", char::from(expected))));
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Passes over a value and returns its text.
    pub(super) fn skip(&mut self) -> Result<&'a str, SyntaxError> {
        let start = self.start()?;
        let from = self.at;
        self.skip_value(start)?;
        Ok(&self.text[from..self.at])
    }

    fn skip_value(&mut self, start: Start) -> Result<(), SyntaxError> {
        match start {
            Start::Object => {
                self.open()?;
                let mut first = true;
                while self.next_key(first)?.is_some() {
                    first = false;
                    self.skip()?;
                }
                Ok(())
            }
            Start::Array => {
                self.open()?;
                let mut first = true;
                while self.next_element(first)? {
                    first = false;
                    self.skip()?;
                }
                Ok(())
            }
            Start::String => self.string().map(drop),
            Start::Number => self.number().map(drop),
            Start::Bool => self.bool().map(drop),
            Start::Null => self.null(),
        }
    }
}
