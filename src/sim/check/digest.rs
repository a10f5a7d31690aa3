//! A number that stands for what was told to it. Knows no saga.

use serde_json::Value;

/// A digest of 128 bits. Two things that share one are held for the same: among a million there is
/// less than one chance in 10^26 that two differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digest(u128);

const MULTIPLE: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;

impl Default for Digest {
    fn default() -> Digest {
        Digest(0x6C62_272E_07BB_0142_62B8_2175_6295_C58D)
    }
}

impl Digest {
    /// The number of all that was told.
    pub(super) fn end(self) -> u128 {
        let mixed = (self.0 ^ (self.0 >> 67)).wrapping_mul(MULTIPLE);
        mixed ^ (mixed >> 59)
    }

    pub(super) fn word(&mut self, word: u64) {
        // An odd multiple spreads it upwards, the turn brings the upper half down again.
        self.0 = (self.0 ^ u128::from(word)).wrapping_mul(MULTIPLE).rotate_left(47);
    }

    pub(super) fn long(&mut self, long: u128) {
        self.word(long as u64);
        self.word((long >> 64) as u64);
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.word(u64::from(byte));
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.word(u64::from(flag));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        for part in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.word(u64::from_le_bytes(word));
        }
    }

    pub(super) fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.byte(0),
            Value::Bool(flag) => self.byte(1 + u8::from(*flag)),
            Value::Number(number) => {
                self.byte(3);
                self.text(&number.to_string());
            }
            Value::String(text) => {
                self.byte(4);
                self.text(text);
            }
            Value::Array(items) => {
                self.byte(5);
                self.word(items.len() as u64);
                items.iter().for_each(|item| self.value(item));
            }
            Value::Object(fields) => {
                self.byte(6);
                self.word(fields.len() as u64);
                for (name, value) in fields {
                    self.text(name);
                    self.value(value);
                }
            }
        }
    }
}
