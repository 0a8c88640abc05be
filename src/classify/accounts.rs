//! What an error's words say of our account and our key: it cannot pay, it has spent what it may, it is closed, its key is rejected.

use tower_llm_layers::{FailureKind, FailureScope};

use super::words::{Words, has_any, near};

/// How far apart the words of one statement stand, in bytes.
const FAR: usize = 30;
/// What shows that a quota is one of a time, which waiting fills again.
const RATES: &str = "per minute|per min |per hour|per day|per second| tpm | rpm | rpd |rate limit";

impl Words {
    /// The account cannot pay.
    pub(super) fn is_no_funds(&self) -> bool {
        const PHRASES: &str = "\
            credit balance is too low|insufficient balance|balance is insufficient|insufficient credit|insufficient fund|\
            used all available credits|out of credits|out of credit |account is in good standing|arrearage|余额不足|欠费|overdue balance|overdue payment|\
            overdue invoice|account is overdue|unpaid invoice|unpaid balance|unpaid bill|past invoices|payment is past due|\
            billing to be enabled|billing is not enabled|billing has not been enabled|billing is disabled|\
            billing has been disabled|billing account is closed|billing account has been closed";
        self.has(PHRASES)
            || self.have_no_funds_code()
            || self.is_empty_account()
            || self.is_billing_suspension()
            || (self.have_exceeded_quota_code() && self.has(" balance | recharge | top up |余额|充值"))
    }

    /// A code of an account that cannot pay.
    fn have_no_funds_code(&self) -> bool {
        const CODES: &str = "\
            insufficient balance|insufficient funds|insufficient credit|not enough balance|arrearage|overdue";
        self.code_is(|code| code.starts_with("billing ") || is_of_a_user_s_quota(code) || has_any(code, CODES))
    }

    /// What the code alone says of the account, beside words that may be about a key.
    pub(super) fn by_code_of_account(&self) -> Option<(FailureKind, FailureScope)> {
        if self.have_no_funds_code() {
            Some((FailureKind::InsufficientFunds, FailureScope::Upstream))
        } else if self.have_spent_code() || self.have_insufficient_quota_code() {
            Some((FailureKind::QuotaExhausted, FailureScope::Upstream))
        } else {
            None
        }
    }

    /// OpenAI's code of a limit of what may be spent.
    pub(super) fn have_insufficient_quota_code(&self) -> bool {
        self.code_is(|code| code == "insufficient quota")
    }

    /// A code of a limit of what may be spent that is reached.
    fn have_spent_code(&self) -> bool {
        self.have_exceeded_quota_code()
            || self
                .code_is(|code| matches!(code, "budget exceeded" | "blocked api access") || code.starts_with("spend "))
    }

    /// A code of any allowance that is used up: `token_quota_reached`, `ResourcePackExhausted`. Under 429 such a code may be one of a rate.
    pub(super) fn have_used_up_code(&self) -> bool {
        const ALLOWANCES: &str = "quota|credit|balance|resource pack|usage limit|allowance";
        const USED_UP: &str = "exceeded|reached|exhausted|depleted|used up";
        const SOMETHING_ELSE: &str = "\
            rate|throttl|minute|second|request|concurren|memory|storage|disk|cpu|gpu|context|prompt|file";
        let is_used_up =
            |code: &str| has_any(code, ALLOWANCES) && has_any(code, USED_UP) && !has_any(code, SOMETHING_ELSE);
        self.code_is(is_used_up) && !self.has(RATES)
    }

    /// An allowance is used up, in words alone, under a status that is not 429.
    pub(super) fn is_allowance_used_up(&self) -> bool {
        const ALLOWANCES: &str = " quota | allowance | usage limit | extra usage ";
        const USED_UP: &str = " exceed | exceeds | exceeded | out of | used up | reached | exhausted ";
        const SOMETHING_ELSE: &str = "\
            out of range| tool | tools | function | functions | message | messages | content | image | images | file | files |\
            storage | memory | disk | input | inputs | value | values | expected | invalid | parse | parsed | json | stop |\
            validation | this request | your request | per request | number of | at most ";
        // What one request may have of something is called so, too.
        const OF_AN_ACCOUNT: &str = "\
            you | your | account | plan | subscription | organization | daily | weekly | monthly | extra usage ";
        const ALONE: [&str; 2] = ["quota exceeded", "usage limit reached"];
        let begins = self.text().trim_start();
        !self.are_about_a_parameter()
            && (self.has(OF_AN_ACCOUNT) || ALONE.iter().any(|words| begins.starts_with(words)))
            && !self.has(SOMETHING_ELSE)
            && !self.has(RATES)
            && near(self.text(), ALLOWANCES, USED_UP, FAR)
    }

    /// Whose allowance it is: a model that is named may have one of its own.
    pub(super) fn scope_of_allowance(&self) -> FailureScope {
        if self.has(" model | models |模型") {
            FailureScope::Candidate
        } else {
            FailureScope::Upstream
        }
    }

    /// The account is suspended, and the words beside that name its plan or its bills.
    fn is_billing_suspension(&self) -> bool {
        const BILLS: &str = " billing | plan | invoice | invoices | bill | bills | payment | payments ";
        !self.has(" model | models ") && near(self.text(), " suspended ", BILLS, FAR)
    }

    /// A code such as `exceeded_current_quota_error`, and no word of a rate beside it.
    fn have_exceeded_quota_code(&self) -> bool {
        let is_of_quota = |code: &str| {
            let behind = code.split_once("exceeded").map(|(_, behind)| behind);
            behind.is_some_and(|behind| behind.contains("quota")) && !has_any(code, "rate|throttl|minute|second")
        };
        self.code_is(is_of_quota) && !self.has(RATES)
    }

    /// What can be empty near a word that says that it is.
    fn is_empty_account(&self) -> bool {
        const MONEY: &str = " balance | credit | credits | funds |余额";
        const EMPTY: &str = "not enough|insufficient|不足|不够|exhausted|used up|depleted|用尽";
        const QUOTA: &str = "quota|额度";
        const TOO_LITTLE: &str = "not enough|insufficient|不足|不够|用尽";
        // A tool may be about money, too.
        if self.are_about_a_parameter() || self.has(" tool | tools | function | functions ") {
            return false;
        }
        let is_of_spending = self.have_insufficient_quota_code();
        near(self.text(), MONEY, EMPTY, FAR)
            || (!is_of_spending && !self.has(RATES) && near(self.text(), QUOTA, TOO_LITTLE, FAR))
    }

    /// A limit of what the account may spend or use in a day or a month is reached.
    pub(super) fn is_quota_exhausted(&self) -> bool {
        const PHRASES: &str = "\
            api usage limit|spend limit|spending limit|budget has been exceeded|you will regain access|\
            out of call volume quota";
        self.has(PHRASES) || self.have_spent_code()
    }

    /// What may be used of this model for free is used up, and the account is set to use no more.
    pub(super) fn is_free_quota_exhausted(&self) -> bool {
        self.code_is(|code| has_any(code, "free tier only"))
            || self.has(
                "free allocated quota exceeded|free tier of the model has been exhausted|free quota has been exhausted",
            )
    }

    /// The account, or the part of it that the key is of, may call nothing any more: a model that is closed to it is another matter.
    pub(super) fn is_account_closed(&self) -> bool {
        const OWNERS: &str = "organization|organisation|account|team|project|workspace|user";
        const STATES: &str = "restricted|suspended|deactivated|disabled|blocked|banned|not active|inactive";
        const SOMETHING_ELSE: &str = "model|region|location|country";
        let is_closed = |code: &str| has_any(code, OWNERS) && has_any(code, STATES) && !has_any(code, SOMETHING_ELSE);
        self.code_is(is_closed) || self.has("已被封禁") || self.names_closed_account()
    }

    fn names_closed_account(&self) -> bool {
        const OWNERS: [&str; 6] = [
            " organization",
            " organisation",
            " account",
            " team",
            " project",
            " workspace",
        ];
        const STATES: [&str; 10] = [
            "restricted",
            "suspended",
            "deactivated",
            "disabled",
            "blocked",
            "banned",
            "terminated",
            "locked",
            "not active",
            "inactive",
        ];
        const BEFORE: [&str; 6] = [
            " is ",
            " been ",
            " was ",
            " currently ",
            " temporarily ",
            " permanently ",
        ];
        if self.are_about_a_parameter() || self.is_rate_limit() || self.has(" model | models | region | country ") {
            return false;
        }
        let is_closed = |behind: &str| {
            let start = behind.get(..2 * FAR).unwrap_or(behind);
            STATES.iter().any(|state| {
                let mut found = start.match_indices(state);
                found.any(|(at, _)| {
                    let before = start.get(..at).unwrap_or_default();
                    BEFORE.iter().any(|word| before.ends_with(word))
                })
            })
        };
        OWNERS.iter().any(|owner| {
            let mut found = self.text().match_indices(owner);
            found.any(|(at, owner)| is_closed(self.text().get(at + owner.len()..).unwrap_or_default()))
        })
    }

    /// Our key was rejected, in the words of providers that answer 400 or 403 for it.
    pub(super) fn is_bad_key(&self) -> bool {
        const PHRASES: &str = "\
            api key not valid|invalid api key|incorrect api key|api key expired|reported as leaked|use another api key|\
            api key has been revoked|api key was revoked|api key is revoked|api key has been disabled|\
            api key has been deleted|invalid access token|invalid api token|invalid authentication|access token expired|\
            access token has expired|access token is expired|security token included in the request is|signature expired|\
            request signature we calculated does not match|invalid token or expired|api token expired|\
            api token has expired|api token is expired|api key has expired|api key is expired";
        self.has(PHRASES)
            || self.code_is(|code| {
                matches!(
                    code,
                    "invalid api key" | "api key invalid" | "invalid access token" | "expired token"
                )
            })
    }
}

/// The quota of a user or a key at a gateway: it is money. `insufficient_quota` by itself is a limit of what may be spent.
fn is_of_a_user_s_quota(code: &str) -> bool {
    let whose = code
        .strip_prefix("insufficient ")
        .and_then(|rest| rest.strip_suffix(" quota"));
    whose.is_some_and(|whose| matches!(whose, "user" | "account" | "token" | "balance" | "credit" | "wallet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Words {
        Words::of_body(text.as_bytes())
    }

    #[test]
    fn a_closed_account_is_distinguished_from_what_has_its_words() {
        for text in [
            "Your account is not active, please check your plan.",
            "Organization has been restricted. Please reach out to support if you believe this was in error.",
            "The account associated with this key has been deactivated.",
            r#"{"error":{"code":"organization_restricted","message":"x"}}"#,
        ] {
            assert!(said(text).is_account_closed(), "{text}");
        }
        for text in [
            "The model `x` is blocked at the organization level.",
            "Your project has been blocked from the model `x`.",
            "Unknown parameter: 'account', which is not active",
            "Your account is temporarily blocked: too many requests, please wait",
            "Your organization must be verified to stream this",
            r#"{"error":{"code":"model_permission_blocked_project","message":"x"}}"#,
            r#"{"error":{"code":"user_region_blocked","message":"x"}}"#,
        ] {
            assert!(!said(text).is_account_closed(), "{text}");
        }
    }

    #[test]
    fn an_empty_account_is_distinguished_from_what_has_its_words() {
        for text in [
            "user quota is not enough",
            "用户额度不足, 剩余额度: ＄-0.000002",
            "Your credits are exhausted.",
            "Your account org-x<ak-x> is suspended, please check your plan and billing details",
            r#"{"error":{"message":"You exceeded your current token quota: <org-x> 0, please check your account balance","type":"exceeded_current_quota_error"}}"#,
        ] {
            assert!(said(text).is_no_funds(), "{text}");
        }
        for text in [
            "Resource has been exhausted (e.g. check quota).",
            "Insufficient quota for tokens per minute",
            "You exceeded your current quota, please check your plan and billing details.",
            "tools[0]: `get_balance` has not enough of a description",
            "Unbalanced brackets: not enough of them are closed",
            "'balance' must be a number: not enough digits",
            "Your account is suspended for abuse.",
            "The model x is suspended on your plan.",
            r#"{"error":{"message":"You exceeded 10 requests per minute of your balance","type":"exceeded_current_quota_error"}}"#,
        ] {
            assert!(!said(text).is_no_funds(), "{text}");
        }
    }

    #[test]
    fn a_code_of_an_exceeded_quota_is_no_rate_limit_unless_a_rate_is_named() {
        let of = |message: &str| {
            said(&format!(
                r#"{{"error":{{"message":"{message}","type":"exceeded_current_quota_error"}}}}"#
            ))
        };
        assert!(of("x").is_quota_exhausted());
        assert!(!of("You exceeded your quota of 10 requests per minute").is_quota_exhausted());
        assert!(
            !said("You exceeded your current quota, please check your plan and billing details.").is_quota_exhausted()
        );
    }

    #[test]
    fn an_allowance_that_is_used_up_is_distinguished_from_what_has_its_words() {
        for text in [
            "Quota exceeded",
            "You're out of extra usage. Add more and keep going.",
            "Usage limit reached.",
            "You have exceeded your monthly quota",
        ] {
            assert!(said(text).is_allowance_used_up(), "{text}");
        }
        for text in [
            "Quota exceeded for requests per minute",
            "Rate limit reached: quota of 10 exceeded",
            "Invalid usage: 'n' is out of range",
            "The quota of tools is exceeded",
            "Unknown parameter 'quota', limit exceeded",
            "messages[0].content: 'the quota is exceeded' cannot be parsed",
            "1 validation error for ChatCompletionRequest: stop, input_value='quota exceeded', input_type=str",
            "Could not parse 'quota exceeded' as JSON",
            "The stop word 'quota exceeded' is too short",
            "File storage quota exceeded",
            "The number of labels exceeds the quota of 64",
            "metadata exceeds the quota of 16 keys",
            "Your request exceeds the allowance of 4 documents",
            "Sub-agent allowance reached for this request",
            "A maximum of 4 blocks with cache_control may be provided: quota exceeded",
            "",
        ] {
            assert!(!said(text).is_allowance_used_up(), "{text}");
        }
        for (code, is_used_up) in [
            ("token_quota_reached", true),
            ("FailedOperation.ResourcePackExhausted", true),
            ("usage_limit_reached", true),
            ("RateQuotaExceeded", false),
            ("request_quota_exceeded", false),
            ("RESOURCE_EXHAUSTED", false),
            ("invalid_quota", false),
            ("file_storage_quota_exceeded", false),
        ] {
            let body = format!(r#"{{"error":{{"message":"x","code":"{code}"}}}}"#);
            assert_eq!(said(&body).have_used_up_code(), is_used_up, "{code}");
        }
        assert_eq!(
            said("Quota exceeded for model x").scope_of_allowance(),
            FailureScope::Candidate
        );
    }
}
