//! Values with an encoding of their own: bytes, times, quantities.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use super::quantity::Quantity;

/// Standard base64 with padding, line ends removed, as Go's decoder reads it.
pub(super) fn base64(text: &str) -> Result<Cow<'_, str>, String> {
    let clean: Cow<'_, str> = if text.contains(['\r', '\n']) {
        Cow::Owned(text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect())
    } else {
        Cow::Borrowed(text)
    };
    match base64_error(text.as_bytes()) {
        Some(at) => Err(format!("illegal base64 data at input byte {at}")),
        None => Ok(clean),
    }
}

/// The offset that Go's decoder complains about.
fn base64_error(input: &[u8]) -> Option<usize> {
    let symbol = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    let mut filled = 0;
    let mut rest = input.iter().enumerate().filter(|(_, b)| !matches!(b, b'\r' | b'\n'));
    while let Some((at, &byte)) = rest.next() {
        if symbol(byte) {
            filled = (filled + 1) % 4;
            continue;
        }
        if byte != b'=' || filled < 2 {
            return Some(at);
        }
        if filled == 2 {
            match rest.next() {
                Some((_, b'=')) => {}
                Some((next, _)) => return Some(next),
                None => return Some(input.len()),
            }
        }
        return rest.next().map(|(next, _)| next);
    }
    // Go points at the group that the end cuts off.
    if filled == 0 { None } else { Some(input.len() - filled) }
}

pub(super) fn quantity(text: &str) -> Result<Value, String> {
    // Go hands the decoder the literal; an empty text between the quotes is a wrong format there as well.
    text.trim().parse::<Quantity>().map(|q| Value::String(q.to_string())).map_err(|e| e.to_string())
}

/// Whole seconds, UTC. The zero time is none.
pub(super) fn time(text: &str) -> Result<Value, String> {
    let at = parse_time(text, "2006-01-02T15:04:05Z07:00", false)?;
    Ok(at.map_or(Value::Null, |at| Value::String(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())))
}

/// Microseconds, UTC. The zero time is none.
pub(super) fn micro_time(text: &str) -> Result<Value, String> {
    let at = parse_time(text, "2006-01-02T15:04:05.000000Z07:00", true)?;
    Ok(at.map_or(Value::Null, |at| Value::String(at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())))
}

/// Go's `time.Parse` for the two layouts in use, with its complaints.
fn parse_time(text: &str, layout: &str, micro: bool) -> Result<Option<Timestamp>, String> {
    let mut reader = TimeReader { text, rest: text, layout };
    let year = reader.digits(4, "2006")?;
    reader.literal("-")?;
    let month = reader.ranged(2, "01", 1..=12, "month")?;
    reader.literal("-")?;
    let day = reader.digits(2, "02")?;
    reader.literal("T")?;
    let hour = reader.ranged(2, "15", 0..=23, "hour")?;
    reader.literal(":")?;
    let minute = reader.ranged(2, "04", 0..=59, "minute")?;
    reader.literal(":")?;
    let second = reader.ranged(2, "05", 0..=59, "second")?;
    let nanos = reader.fraction(micro)?;
    let offset = reader.zone()?;
    if !reader.rest.is_empty() {
        return Err(format!("parsing time {text:?}: extra text: {:?}", reader.rest));
    }
    let range = || format!("parsing time {text:?}: day out of range");
    let date = jiff::civil::Date::new(narrow(year), narrow(month), narrow(day)).map_err(|_| range())?;
    let local = date.at(narrow(hour), narrow(minute), narrow(second), narrow(nanos));
    let offset = jiff::tz::Offset::from_seconds(narrow(offset)).map_err(|_| range())?;
    let at = offset.to_timestamp(local).map_err(|_| range())?;
    let zero = at.as_second() == -62_135_596_800 && at.subsec_nanosecond() == 0;
    Ok(if zero { None } else { Some(at) })
}

/// The digits were counted, so every number fits; what would not is refused by range later.
fn narrow<T: TryFrom<i64> + Default>(value: i64) -> T {
    T::try_from(value).unwrap_or_default()
}

struct TimeReader<'a> {
    text: &'a str,
    rest: &'a str,
    layout: &'a str,
}

impl TimeReader<'_> {
    fn wrong(&self, element: &str) -> String {
        format!("parsing time {:?} as {:?}: cannot parse {:?} as {element:?}", self.text, self.layout, self.rest)
    }

    fn literal(&mut self, text: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(text).ok_or_else(|| self.wrong(text))?;
        Ok(())
    }

    fn digits(&mut self, count: usize, element: &str) -> Result<i64, String> {
        let head = self.rest.as_bytes().get(..count).filter(|h| h.iter().all(u8::is_ascii_digit));
        let value = head.ok_or_else(|| self.wrong(element))?.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0'));
        self.rest = &self.rest[count..];
        Ok(value)
    }

    fn ranged(
        &mut self,
        count: usize,
        element: &str,
        range: std::ops::RangeInclusive<i64>,
        what: &str,
    ) -> Result<i64, String> {
        let value = self.digits(count, element)?;
        if range.contains(&value) {
            Ok(value)
        } else {
            Err(format!("parsing time {:?}: {what} out of range", self.text))
        }
    }

    /// Nanoseconds after the point; the layout with microseconds asks for six digits.
    fn fraction(&mut self, micro: bool) -> Result<i64, String> {
        let digits = self.rest.strip_prefix('.').map_or(0, |r| r.bytes().take_while(u8::is_ascii_digit).count());
        if micro && digits < 6 || digits == 0 && self.rest.starts_with('.') {
            return Err(self.wrong(if micro { ".000000" } else { "Z07:00" }));
        }
        if digits == 0 {
            return Ok(0);
        }
        let kept = digits.min(if micro { 6 } else { 9 });
        let value = self.rest[1..=kept].bytes().fold(0, |n, b| n * 10 + i64::from(b - b'0'));
        self.rest = &self.rest[if micro { 7 } else { digits + 1 }..];
        Ok(value * 10_i64.pow(9 - u32::try_from(kept).unwrap_or(9)))
    }

    /// Seconds east of UTC.
    fn zone(&mut self) -> Result<i64, String> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let bytes = self.rest.as_bytes();
        let shaped = bytes.len() >= 6 && matches!(bytes[0], b'+' | b'-') && bytes[3] == b':';
        let digits = shaped && [1, 2, 4, 5].iter().all(|&i| bytes[i].is_ascii_digit());
        if !digits {
            return Err(self.wrong("Z07:00"));
        }
        let two = |i: usize| i64::from(bytes[i] - b'0') * 10 + i64::from(bytes[i + 1] - b'0');
        let (hours, minutes) = (two(1), two(4));
        if hours > 24 || minutes > 60 {
            return Err(format!("parsing time {:?}: time zone offset out of range", self.text));
        }
        let sign = if bytes[0] == b'-' { -1 } else { 1 };
        self.rest = &self.rest[6..];
        Ok(sign * (hours * 3600 + minutes * 60))
    }
}
