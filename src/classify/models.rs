//! What an error's words say of the model: it is unknown, it is gone, it is closed to this key, it is withheld.

use super::words::{Words, has_any, near};

impl Words {
    /// The provider does not have the model: a code or a phrase of which this is the only meaning.
    pub(super) fn name_unknown_model(&self) -> bool {
        const CODES: &str = "\
            model not found|model not exist|model does not exist|model decommissioned|unknown model|model not supported";
        const PHRASES: &str = "\
            model identifier is invalid|invocation of model id|requested model is not supported|\
            model not exist|not a valid model|no such model|not found the model|no available channel|无可用渠道|模型不存在";
        /// What of a model may be invalid also.
        const OF_A_MODEL: [&str; 10] = [
            "param", "setting", "config", "option", "input", "output", "response", "argument", "type", "error",
        ];
        let is_invalid = || {
            ["invalid model ", "unknown model "].iter().any(|before| {
                let mut named = self.text().split(before).skip(1);
                named.any(|rest| !OF_A_MODEL.iter().any(|other| rest.starts_with(other)))
            })
        };
        self.code_is(|code| code == "invalid model" || has_any(code, CODES)) || self.has(PHRASES) || is_invalid()
    }

    /// "The model X does not exist": nothing else stands between the model and what became of it. Or the models that there are instead.
    pub(super) fn is_model_gone(&self) -> bool {
        const GONE: &str = "not exist|doesn t exist|not found|no longer supported|no longer available|decommissioned";
        const SOMETHING_ELSE: &str = "\
            message| tool | tools | file | files | parameter| param | field| argument| function | functions ";
        const CODES: &str = "\
            unavailable model|model unavailable|model not available|model deprecated|model retired|model disabled|\
            model discontinued|model removed|model offline";
        const INSTEAD: &str = "\
            supported api model names|supported model names|supported models are|supported models include|\
            available model names|available models are|available models include|valid models are|valid model names|\
            unavailable model ";
        /// How far apart they stand, in bytes: the names of models are long.
        const FAR: usize = 120;
        if self.code_is(|code| has_any(code, CODES)) || (!self.are_about_a_parameter() && self.has(INSTEAD)) {
            return true;
        }
        self.text().match_indices("model").any(|(at, model)| {
            let behind = self.text().get(at + model.len()..).unwrap_or_default();
            GONE.split('|').any(|gone| {
                let between = behind.find(gone).filter(|end| *end <= FAR);
                between
                    .and_then(|end| behind.get(..end))
                    .is_some_and(|between| !has_any(between, SOMETHING_ELSE))
            })
        })
    }

    /// Our key is good, but not for this model: another model passes with it.
    pub(super) fn is_model_not_allowed(&self) -> bool {
        const PHRASES: &str = "\
            not allowed to access model|not allowed to access this model|can only access models|\
            not have access to model|not have access to the model";
        self.has(PHRASES) || self.code_is(|code| code.ends_with("model access denied"))
    }

    /// The words are about the model itself, and say that it cannot be had now or here: another candidate's may.
    pub(super) fn is_model_withheld(&self) -> bool {
        const MODEL: &str = " model | models | deployment |模型";
        const STATES: &str = concat!(
            " allowed now | retired | disabled | discontinued | removed | sunset | end of life | shut down | offline |",
            " unavailable | is restricted | restricted to | no longer | not served | not deployed | not loaded | not ready | paused | suspended |",
            " maintenance | only available | available only | paid plan | your plan | no provider | no route | no deployment |",
            "不可用|已下线|下线|停用|未开通|不支持"
        );
        /// What of a request may be refused in the same words.
        const SOMETHING_ELSE: &str = concat!(
            " tool | tools | function | functions | message | messages | image | images | audio | content | role | roles |",
            " thinking | reasoning | stream | streaming | format | temperature | json | prompt | key | value | values "
        );
        /// How far apart the words of one statement stand, in bytes: the names of models are long.
        const FAR: usize = 60;
        !self.are_about_a_parameter() && !self.has(SOMETHING_ELSE) && near(self.text(), MODEL, STATES, FAR)
    }

    /// Whether an error about the member `model` says that it is missing, or is of another type: that is the request's own fault.
    pub(super) fn is_no_name_of_a_model(&self) -> bool {
        self.has("required|must provide|missing|valid string|be a string|empty")
            || self.code_is(|code| has_any(code, "missing|invalid type|required|string type"))
    }
}
