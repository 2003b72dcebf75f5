// Refuses the words of words.json in a document's text; code in it is left alone.
const words = require("./words.json");

module.exports = ({ Syntax, RuleError, report, getSource, locator }) => ({
  [Syntax.Str](node) {
    const text = getSource(node);
    for (const { pattern, say } of words) {
      const found = new RegExp(`\\b(?:${pattern.replaceAll(" ", "\\s+")})\\b`, "gi");
      for (const { 0: phrase, index } of text.matchAll(found)) {
        const padding = locator.range([index, index + phrase.length]);
        report(node, new RuleError(`"${phrase.replace(/\s+/g, " ").trim()}": say ${say}`, { padding }));
      }
    }
  },
});
