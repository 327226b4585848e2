//! What is answered.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Record;

/// What is answered to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The response code.
    pub code: ResponseCode,
    /// Whether the answer is the zone's own.
    pub authoritative: bool,
    /// Whether who answered asks others.
    pub recursive: bool,
    /// Whether there is more than these records.
    pub truncated: bool,
    /// The records asked for.
    pub answers: Vec<Record>,
    /// Who says so.
    pub authorities: Vec<Record>,
    /// What is told beside.
    pub additionals: Vec<Record>,
    /// The plugin that answered, as metrics name it; none, if all gave up.
    pub plugin: &'static str,
}

impl Answer {
    /// An answer without records.
    pub fn empty(code: ResponseCode, plugin: &'static str) -> Self {
        Self {
            code,
            authoritative: false,
            recursive: false,
            truncated: false,
            answers: Vec::new(),
            authorities: Vec::new(),
            additionals: Vec::new(),
            plugin,
        }
    }

    /// A zone's own answer.
    pub fn authoritative(answers: Vec<Record>, plugin: &'static str) -> Self {
        Self {
            authoritative: true,
            answers,
            ..Self::empty(ResponseCode::NoError, plugin)
        }
    }

    /// All records.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        let beside = self.authorities.iter().chain(&self.additionals);
        self.answers.iter().chain(beside)
    }

    /// All records, to change them.
    pub(crate) fn records_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        let beside = self.authorities.iter_mut().chain(&mut self.additionals);
        self.answers.iter_mut().chain(beside)
    }
}
