"""JavaScript that tests run in the page, whatever drives the browser."""

# Runs a plan to its end, and returns what was measured without its long lists.
MEASURE = """async ({ connections: { active } }, plan) => {
  const before = active.isOpen ? active.measurement?.run ?? 0 : 0;
  active.measure(plan);
  const isOver = () => active.measurement?.run > before && !active.measurement.running;
  while (!isOver()) await new Promise((done) => setTimeout(done, 20));
  const { histogram, points, rates, ...found } = active.measurement;
  const percentiles = [50, 95, 99].map((percent) => histogram.percentile(percent));
  return { ...found, percentiles, trips: histogram.count, pointCount: points.length, counts: active.counts };
}"""


def in_context(function: str) -> str:
    """Return a function of one argument that calls `function` with the context of the page's views and its argument."""
    return f"""async (argument) => {{
      const {{ context }} = await import(new URL("static/view/page.js", document.baseURI));
      return ({function})(context, argument);
    }}"""
