//! A usage object, field by field, in the requested form.

use serde_json::value::RawValue;

use crate::fault::{Fault, UsageForm, given};
use crate::money::Cost;

/// Writes one object.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    form: Option<UsageForm>,
    text: String,
}

impl Fields {
    /// An object without fields, in the form that a clause asks for.
    pub(crate) fn new(faults: &[Fault]) -> Self {
        Self {
            form: given!(faults, Fault::UsageForm),
            text: String::new(),
        }
    }

    fn field(mut self, name: &str, value: &str) -> Self {
        if !self.text.is_empty() {
            self.text.push(',');
        }
        self.text.push_str(&format!("\"{name}\":{value}"));
        self
    }

    /// A count of tokens.
    pub(crate) fn tokens(self, name: &str, count: u64) -> Self {
        let point = if self.form == Some(UsageForm::Float) { ".0" } else { "" };
        let value = format!("{count}{point}");
        self.field(name, &value)
    }

    /// An amount in USD, unless costs are left out.
    pub(crate) fn cost(self, name: &str, cost: Cost) -> Self {
        match self.form {
            Some(UsageForm::NoCost) => self,
            Some(UsageForm::Float) => self.field(name, &format!("\"{cost}\"")),
            _ => self.field(name, &cost.to_string()),
        }
    }

    /// Any other value, as JSON.
    pub(crate) fn json(self, name: &str, value: &str) -> Self {
        self.field(name, value)
    }

    /// An object within, unless all its fields are left out.
    pub(crate) fn object(self, name: &str, inner: impl FnOnce(Self) -> Self) -> Self {
        let inner = inner(Self {
            form: self.form,
            text: String::new(),
        });
        if inner.text.is_empty() {
            return self;
        }
        self.field(name, &format!("{{{}}}", inner.text))
    }

    /// The object.
    pub(crate) fn end(self) -> Box<RawValue> {
        let text = format!("{{{}}}", self.text);
        RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }

    /// Whether the object has this form.
    pub(crate) fn is(&self, form: UsageForm) -> bool {
        self.form == Some(form)
    }
}
