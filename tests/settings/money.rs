//! Keys of money: each changes which calls a budget carries, what it says, or what is written into a request for it.

use super::{
    keys::Row,
    scene::{Scene, plain},
};

const GOOD: Scene = plain("GOOD");
/// Two calls of two tenants at once. With `PRICED` each has at least a dollar reserved while it runs.
const TWO: Scene = plain("slow-headers=5s;GOOD")
    .calls(2)
    .at_once()
    .with(r#"{"tags":{"tenant":"t#"}}"#);
/// A call of one tenant, in the team `x`.
const TAGGED: Scene = GOOD.with(r#"{"tags":{"tenant":"t","team":"x"}}"#);

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("budget[].name", "PRICED\nbudget = [{ name = @, usd = '0.5' }]", ["'a'", "'b'"], GOOD.saying_why()),
    ("budget[].usd", "PRICED\nbudget = [{ name = 'a', usd = @ }]", ["'1.5'", "'$3.00'"], TWO),
    ("budget[].each", "PRICED\nbudget = [{ name = 'a', usd = '1.5', each = @ }]", ["[]", "['tenant']"], TWO),
    ("budget[].only", "PRICED\nbudget = [{ name = 'a', usd = '0.5', only = @ }]", ["{ team = 'x' }", "{ team = 'y' }"], TAGGED),
    ("budget[].soft", "PRICED\nbudget = [{ name = 'a', usd = '0.5', soft = @ }]", ["false", "true"], GOOD),
    ("max_per_hour.usd", "PRICED\nmax_per_hour = { usd = @, action = 'brake' }", ["'0.5'", "'5'"], GOOD),
    ("max_per_hour.action", "PRICED\nmax_per_hour = { usd = '0.5', action = @ }", ["'alert'", "'brake'"], GOOD),
    ("max_reservation_wait", "PRICED\nbudget = [{ name = 'a', usd = '1.5' }]\nmax_reservation_wait = @", ["'0s'", "'20s'"], TWO),
    ("prices[].upstream", "BUDGET\nprices = [{ upstream = @, model = 'MODEL', prompt = '1', completion = '1' }]", ["'openrouter'", "'other'"], GOOD.saying_why()),
    ("prices[].model", "BUDGET\nprices = [{ model = @, prompt = '1', completion = '1' }]", ["'MODEL'", "'x/y'"], GOOD.saying_why()),
    ("prices[].prompt", "BUDGET\nprices = [{ model = 'MODEL', prompt = @, completion = '1' }]", ["'1'", "'2'"], GOOD.saying_why()),
    ("prices[].completion", "BUDGET\nprices = [{ model = 'MODEL', prompt = '1', completion = @ }]", ["'1'", "'2'"], GOOD.saying_why()),
    ("prices[].request", "BUDGET\nprices = [{ model = 'MODEL', prompt = '1', completion = '1', request = @ }]", ["'1'", "'2'"], GOOD.saying_why()),
    ("prices[].input_cache_read", "BUDGET\nprices = [{ model = 'MODEL', prompt = '1', completion = '1', input_cache_read = @ }]", ["'1'", "'2'"], GOOD.saying_why()),
    ("prices[].input_cache_write", "BUDGET\nprices = [{ model = 'MODEL', prompt = '1', completion = '1', input_cache_write = @ }]", ["'1'", "'2'"], GOOD.saying_why()),
    ("unknown_price", "prices = [{ model = 'x/y', prompt = '1', completion = '1' }]\nbudget = [{ name = 'a', usd = '1' }]\nunknown_price = @", ["'refuse'", "'allow'"], GOOD),
    ("unknown_price.assume.fixed", "budget = [{ name = 'a', usd = '1' }]\nunknown_price.assume = { fixed = @, prompt_token = '0', answer_token = '0' }", ["'0.1'", "'5'"], GOOD),
    ("unknown_price.assume.prompt_token", "budget = [{ name = 'a', usd = '1' }]\nunknown_price.assume = { prompt_token = @, answer_token = '0' }", ["'0.0001'", "'5'"], GOOD),
    ("unknown_price.assume.answer_token", "budget = [{ name = 'a', usd = '1' }]\nunknown_price.assume = { prompt_token = '0', answer_token = @ }", ["'0.0001'", "'1'"], GOOD.with(r#"{"max_tokens":50}"#)),
    ("unknown_price.assume.max_answer", "budget = [{ name = 'a', usd = '1' }]\ndefault_output_tokens = 'off'\nunknown_price.assume = { prompt_token = '0', answer_token = '0.001', max_answer = @ }", ["10", "100000"], GOOD),
    ("default_output_tokens", "budget = [{ name = 'a', usd = '1' }]\nunknown_price.assume = { prompt_token = '0', answer_token = '0.000001' }\ndefault_output_tokens = @", ["100", "200"], GOOD),
    ("min_output_tokens", "budget = [{ name = 'a', usd = '0.1' }]\nunknown_price.assume = { prompt_token = '0', answer_token = '0.001' }\nmin_output_tokens = @", ["50", "200"], GOOD.with(r#"{"max_tokens":5000}"#)),
    ("allow_unreserved_tools", "budget = [{ name = 'a', usd = '1' }]\nunknown_price.assume = { prompt_token = '0', answer_token = '0' }\nallow_unreserved_tools = @", ["false", "true"], GOOD.with(r#"{"tools":[{"type":"openrouter:fusion"}]}"#)),
    ("require_tag", "require_tag = @", ["'tenant'", "'group'"], TAGGED),
];
