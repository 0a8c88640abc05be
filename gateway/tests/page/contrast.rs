//! What the browser computes of the page: the contrast of each text with what is behind it, and what stands out of the window.

/// The texts whose contrast is below 4.5, with the contrast: an expression in the page's language.
pub(crate) const LOW_CONTRAST: &str = r#"(() => {
  const parse = (text) => {
    const numbers = text.match(/-?[\d.]+/g).map(Number);
    if (text.startsWith("color(srgb")) return [numbers[0] * 255, numbers[1] * 255, numbers[2] * 255, numbers[3] ?? 1];
    if (!text.startsWith("rgb")) throw new Error("unknown colour " + text);
    return [numbers[0], numbers[1], numbers[2], numbers[3] ?? 1];
  };
  const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3])).concat(1);
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reduceRight((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => [r, g, b].map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const low = [];
  const check = (element, style, text) => {
    const back = behind(element);
    const found = ratio(over(parse(style.color), back), back);
    if (found < 4.5) low.push(`${found.toFixed(2)} ${element.className || element.tagName}: ${text.trim().slice(0, 40)}`);
  };
  let texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || ["SCRIPT", "STYLE", "NOSCRIPT", "TITLE"].includes(element.tagName.toUpperCase())) continue;
    if (!element.checkVisibility()) continue;
    texts += 1;
    check(element, getComputedStyle(element), node.data);
  }
  for (const field of document.querySelectorAll("input[placeholder]")) check(field, getComputedStyle(field, "::placeholder"), field.placeholder);
  if (texts < 50) low.push(`only ${texts} texts were found`);
  return low;
})()"#;

/// The elements that stand out of the window to the right, unless they scroll by themselves.
pub(crate) const OVERFLOW: &str = r#"(() => {
  const wide = document.documentElement.clientWidth;
  const out = [...document.body.querySelectorAll("*")].filter((element) =>
    element.checkVisibility() && !element.closest(".scroll, .skip") && element.getBoundingClientRect().right > wide + 0.5);
  const found = out.map((element) => `${element.tagName}.${element.className}: ${Math.round(element.getBoundingClientRect().right)}`);
  const whole = document.documentElement.scrollWidth;
  return whole > wide ? [`the page is ${whole} wide`, ...found] : found;
})()"#;
