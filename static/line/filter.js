// A worker that matches texts with a regular expression. It answers when it has the expression, and then to each batch
// of texts. The page ends it if an expression takes too long.
let expression = null;

self.addEventListener("message", ({ data }) => {
  if (data.source !== undefined) {
    expression = new RegExp(data.source, data.flags);
    self.postMessage({ ids: [] });
  } else self.postMessage({ ids: data.ids.filter((_, index) => expression.test(data.texts[index])) });
});
