"use strict";
// Draws report.html from the JSON in #data. No library, no network: the file must open anywhere.
// Every plot ends as one <svg class="plot"> or <canvas class="plot">, with data-marks = how many things it drew.
const data = JSON.parse(document.getElementById("data").textContent);
const colors = ["var(--real)", "var(--fake)", "#0f9d74", "#a855f7", "#d97706", "#0891b2"];

function el(tag, attributes = {}, ...children) {
  const svg = ["svg", "path", "line", "rect", "text", "g", "circle"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function panel(title, wide = false) {
  const node = el("section", {class: wide ? "panel wide" : "panel"}, el("h2", {}, title));
  document.getElementById("panels").append(node);
  return node;
}

const short = v => Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toExponential(1) : String(+v.toPrecision(4));

// At most `most` multiples of 1, 2 or 5 times a power of ten in [low, high].
function ticks(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= rough);
  const result = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i) result.push(i * step);
  return result;
}

// One SVG with a frame. `series`: [{name, color, points: [[x, y], ...], bars?}], `levels`: [{value, label}].
function plot(parent, {series, levels = [], log = false, low = null, high = null, labels = null}) {
  const W = 400, H = 190, left = 46, right = 10, top = 8, bottom = 22;  // about as wide as it is shown, so that text keeps its size
  const fine = v => Number.isFinite(v) && (!log || v > 0);
  const ys = series.flatMap(s => s.points.map(p => p[1])).filter(fine).sort((a, b) => a - b);
  const xs = series.flatMap(s => s.points.flatMap(p => s.bars ? [p[0] + s.bars.from, p[0] + s.bars.to] : [p[0]]));
  const f = log ? Math.log10 : v => v;
  // Outliers (the first steps) must not squash a plot: one value in a hundred may leave it.
  const at = share => ys[Math.min(ys.length - 1, Math.max(0, Math.round(share * (ys.length - 1))))];
  let y0 = low ?? Math.min(f(at(0.01) ?? 0), ...levels.map(l => f(l.value)));
  let y1 = high ?? Math.max(f(at(0.99) ?? 1), ...levels.map(l => f(l.value)));
  // A curve that hardly moves is drawn flat: its ticks would differ in digits that are not shown.
  const least = log ? 0.05 : 0.02 * Math.max(Math.abs(y0), Math.abs(y1)) || 1;
  if (!(y1 - y0 > least)) { const middle = (y0 + y1) / 2; y0 = middle - least / 2; y1 = middle + least / 2; }
  const margin = 0.06 * (y1 - y0);
  if (low === null) y0 -= margin;
  if (high === null) y1 += margin;
  let x0 = Math.min(...xs), x1 = Math.max(...xs);
  if (!(x1 > x0)) { x0 -= 0.5; x1 += 0.5; }
  const X = x => left + (x - x0) / (x1 - x0) * (W - left - right);
  const Y = y => Math.min(H - bottom, Math.max(top, H - bottom - (f(y) - y0) / (y1 - y0) * (H - top - bottom)));
  const svg = el("svg", {class: "plot", viewBox: `0 0 ${W} ${H}`, role: "img"});
  let marks = 0;
  // A logarithmic axis has its ticks at 1, 2 and 5 times powers of ten, or at the powers alone where there are many.
  const decades = [];
  for (let e = Math.floor(y0); log && e <= y1; ++e) for (const m of y1 - y0 > 3 ? [1] : [1, 2, 5]) decades.push(e + Math.log10(m));
  let rules = log ? decades.filter(t => t >= y0 && t <= y1) : ticks(y0, y1, 5);
  if (log && rules.length < 2) rules = ticks(10 ** y0, 10 ** y1, 8).map(Math.log10);
  for (const t of rules) {
    const y = H - bottom - (t - y0) / (y1 - y0) * (H - top - bottom);
    svg.append(el("line", {class: "rule", x1: left, x2: W - right, y1: y, y2: y}),
               el("text", {x: left - 5, y: y + 4, "text-anchor": "end"}, log ? short(10 ** t) : short(t)));
  }
  for (const t of labels ? labels.map((_, i) => i) : ticks(x0, x1, 5)) {
    svg.append(el("text", {x: X(t), y: H - 6, "text-anchor": "middle"}, labels ? labels[t] : short(t)));
  }
  svg.append(el("rect", {class: "frame", x: left, y: top, width: W - left - right, height: H - top - bottom}));
  for (const s of series) {
    if (s.bars) {
      for (const [x, y] of s.points) {
        const a = X(x + s.bars.from), b = X(x + s.bars.to);
        if (y > 0) { svg.append(el("rect", {x: a, width: Math.max(b - a, 0.5), y: Y(y), height: H - bottom - Y(y), fill: s.color, opacity: 0.55})); ++marks; }
      }
      continue;
    }
    let d = "", pen = "M";
    for (const [x, y] of s.points) {
      if (!fine(y)) { pen = "M"; continue; }
      d += `${pen}${X(x).toFixed(1)} ${Y(y).toFixed(1)}`;
      pen = "L";
      ++marks;
    }
    if (d) svg.append(el("path", {class: "line", d: s.points.length === 1 ? d + "h0.1" : d, stroke: s.color,
                                  ...(s.points.length === 1 ? {"stroke-linecap": "round", "stroke-width": 5} : {})}));
  }
  for (const l of levels) {
    svg.append(el("line", {class: "level", x1: left, x2: W - right, y1: Y(l.value), y2: Y(l.value)}),
               el("text", {class: "level-label", x: left + 5, y: Y(l.value) - 4}, l.label));
  }
  svg.dataset.marks = marks;
  const legend = el("div", {class: "legend"});
  const read = x => legend.replaceChildren(...(x === null || labels ? [] : [el("span", {}, `at ${short(x)}`)]),
    ...series.map(s => {
      const near = x === null ? null : s.points.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a, s.points[0]);
      return el("span", {}, el("i", {style: `background:${s.color}`}), s.name + (near ? ` ${short(near[1])}` : ""));
    }));
  read(null);
  const cursor = el("line", {class: "cursor", y1: top, y2: H - bottom, visibility: "hidden"});
  svg.append(cursor);
  svg.addEventListener("mousemove", event => {
    const box = svg.getBoundingClientRect(), px = (event.clientX - box.left) / box.width * W;
    if (px < left || px > W - right) return;
    cursor.setAttribute("x1", px);
    cursor.setAttribute("x2", px);
    cursor.setAttribute("visibility", "visible");
    read(x0 + (px - left) / (W - left - right) * (x1 - x0));
  });
  svg.addEventListener("mouseleave", () => { cursor.setAttribute("visibility", "hidden"); read(null); });
  parent.append(legend, svg);
}

// Curves over steps of those metrics of `names` that were recorded: {metric: label}.
const drawn = new Set();
function curves(title, names, options = {}) {
  const series = Object.entries(names).filter(([key]) => data.series[key]?.length)
    .map(([key, name], i) => { drawn.add(key); return {name, color: colors[i % colors.length], points: data.series[key]}; });
  if (series.length) plot(panel(title), {series, ...options});
}

function verdict() {
  const list = data.verdicts, last = list.at(-1);
  const now = last && last.verdict !== "healthy" ? last : null;
  const box = document.getElementById("verdict");
  box.className = "verdict" + (now ? (["diverged", "collapse"].includes(now.verdict) ? " bad" : " warn") : "");
  box.append(el("b", {}, now ? now.verdict : "healthy"),
             el("p", {}, now ? now.message : "no sign of D winning, divergence, collapse, oscillation or memorisation"));
  const e = data.evaluation;
  if (e && typeof e.verdict === "string") {
    if (e.good === false && !now) box.className = "verdict warn";
    box.append(el("p", {}, el("b", {}, "evaluated: "), e.verdict));
  }
  if (list.length > 1 || (list.length && !now)) {
    box.append(el("p", {class: "dim"}, "before: " + (now ? list.slice(0, -1) : list).map(v => `${v.verdict} (step ${v.step})`).join(", ")));
  }
}

function losses() {
  const e = data.equilibrium;
  const levels = [];
  if (e.d_loss !== null) levels.push({value: e.d_loss, label: `D's equilibrium: ${e.d_label}`});
  if (e.g_loss !== null && e.g_loss !== e.d_loss) levels.push({value: e.g_loss, label: `G's equilibrium: ${short(e.g_loss)}`});
  curves("Losses", {d_loss: "D", g_loss: "G"}, {levels});
  curves(data.probabilities ? "What D says: 1 real, 0 fake" : "What D says", {d_real: "D(x), real", d_fake: "D(G(z)), fake"},
         data.probabilities ? {levels: [{value: 0.5, label: "cannot tell"}], low: 0, high: 1} : {});
  curves("D's accuracy", {d_accuracy: "accuracy"}, {levels: [{value: 0.5, label: "guessing"}], low: 0, high: 1});
  curves("Gradient norms, as the optimizer has averaged them", {g_gradient: "G", d_gradient: "D"}, {log: true});
  curves("What a step changes, as a share of the weights", {g_update: "G", d_update: "D"},
         {log: true, levels: [{value: 1e-3, label: "usual: about 0.001"}]});
  curves("D on images it learns from and held-out ones", {d_train: "learns from", d_holdout: "held out"},
         data.probabilities ? {low: 0, high: 1} : {});
  curves("Samples compared with real ones", {diversity: "diversity", coverage: "coverage"},
         {levels: [{value: 0.5, label: "collapse below"}], low: 0});
  curves("KL(real || fake)", {kl: "KL"});
}

// What --eval-every has measured.
function evaluations() {
  const e = names => Object.fromEntries(Object.entries(names).map(([key, name]) => ["eval/" + key, name]));
  curves("FDz, distance of the features", e({fdz: "FDz"}), {log: true});
  curves("KID, kernel distance of the features", e({kid: "KID"}));
  curves("Precision, recall, density, coverage", e({precision: "precision", recall: "recall", density: "density", coverage: "coverage"}), {low: 0});
  curves("Covered, as a share of what real samples cover", e({covered: "covered"}), {low: 0, levels: [{value: 0.5, label: "collapse below"}]});
  curves("What the classifier says", e({score_ratio: "score, of real", class_tv: "classes, total variation"}), {low: 0});
  curves("Copies of training images", e({copies: "share"}), {low: 0, levels: [{value: 0.1, label: "memorisation above"}]});
  curves("Modes", e({modes: "modes"}), {low: 0});
  if (data.classes) classes(`Classes at step ${data.classes.step}`, data.classes.shares, data.classes.real);
}

// Shares of classes as bars, beside the real ones if they are known.
function classes(title, shares, real) {
  const bars = (name, list, color, from, to) => ({name, color, points: list.map((v, i) => [i, v]), bars: {from, to}});
  plot(panel(title), {low: 0, labels: shares.map((_, i) => i),
    series: real ? [bars("real", real, colors[0], -0.4, 0), bars("fake", shares, colors[1], 0, 0.4)] : [bars("fake", shares, colors[1], -0.4, 0.4)]});
}

function samples() {
  const box = panel("Samples from the same noise", true), pictures = data.pictures;
  if (!pictures.length) return;
  const image = el("img", {alt: "samples", id: "sample"}), caption = el("figcaption");
  const slider = el("input", {type: "range", min: 0, max: pictures.length - 1, value: pictures.length - 1, "aria-label": "step"});
  const show = () => { image.src = pictures[slider.value].uri; caption.textContent = `step ${pictures[slider.value].step}`; };
  slider.addEventListener("input", show);
  show();
  const pair = el("div", {class: "pair"}, el("figure", {}, caption, image));
  if (data.reals) pair.append(el("figure", {}, el("figcaption", {}, "real"), el("img", {src: data.reals, alt: "real samples"})));
  box.append(slider, pair);
}

// How wide a kernel must be: half again as far as the 12th nearest neighbour is from most real points, and a cell of the map at
// least. Unlike the deviation of all points it does not know how far the modes lie apart.
function bandwidth(points, dims, cells) {
  const far = points.map(a => points.map(b => a.reduce((s, v, d) => s + (v - b[d]) ** 2, 0)).sort((x, y) => x - y)[Math.min(12, points.length - 1)]);
  const typical = 1.5 * Math.sqrt(far.sort((x, y) => x - y)[Math.floor(far.length / 2)]);
  return cells.map(cell => Math.max(dims === 1 ? 5 * typical : typical, cell));  // on a line twelve neighbours are near
}

// Gaussian kernel density of points (rows of `dims` numbers) at a place, with a width per axis.
function density(points, dims, h) {
  const n = points.length;
  return at => {
    let sum = 0;
    for (const p of points) {
      let q = 0;
      for (let d = 0; d < dims; ++d) q += ((at[d] - p[d]) / h[d]) ** 2;
      if (q < 40) sum += Math.exp(-q / 2);
    }
    return sum / (n * h.reduce((a, b) => a * Math.sqrt(2 * Math.PI) * b, 1));
  };
}

// The density at the edge of a single point's kernel, one and a half widths away: where there is less, there is nothing to say.
const few = (d, h) => Math.exp(-1.125) / (d.real.length * h.reduce((a, b) => a * Math.sqrt(2 * Math.PI) * b, 1));

function line(d) {
  const h = bandwidth(d.real, 1, [d.x[0][1] - d.x[0][0]]), p = density(d.real, 1, h), q = density(d.fake, 1, h), bins = 42, [low, high] = d.range[0], width = (high - low) / bins;
  const histogram = points => {
    const counts = new Array(bins).fill(0);
    for (const [x] of points) { const b = Math.floor((x - low) / width); if (b >= 0 && b < bins) ++counts[b]; }
    return counts.map((c, i) => [low + i * width, c / (points.length * width)]);
  };
  const bars = {from: 0, to: width};
  plot(panel("Densities"), {low: 0, series: [{name: "real", color: colors[0], points: histogram(d.real), bars},
                                             {name: "fake", color: colors[1], points: histogram(d.fake), bars}]});
  const optimal = d.x[0].map(x => { const a = p([x]), b = q([x]); return [x, a + b > few(d, h) ? a / (a + b) : NaN]; });
  plot(panel("D(x) and the optimal D, p/(p+q)"), {low: 0, high: 1, levels: [{value: 0.5, label: "p = q"}],
    series: [{name: "D(x)", color: colors[1], points: d.x[0].map((x, i) => [x, d.d[i]])},
             {name: "p/(p+q), densities by kernels", color: colors[0], points: optimal}]});
}

// Blue where D says real, red where it says fake, white at 1/2, grey where there is nothing to say.
function heat(parent, name, columns, rows, value, mark) {
  const scale = 8, canvas = el("canvas", {class: "plot", width: columns * scale, height: rows * scale}), g = canvas.getContext("2d");
  let marks = 0;
  for (let j = 0; j < rows; ++j) for (let i = 0; i < columns; ++i) {
    const v = value(i, j), t = Math.min(1, Math.abs(2 * v - 1));
    if (Number.isFinite(v)) ++marks;
    const mix = c => Math.round(255 + (c - 255) * t);
    g.fillStyle = !Number.isFinite(v) ? "#c8c8cc" : v > 0.5 ? `rgb(${mix(26)},${mix(82)},${mix(217)})` : `rgb(${mix(219)},${mix(33)},${mix(38)})`;
    g.fillRect(i * scale, (rows - 1 - j) * scale, scale, scale);
  }
  mark?.(g, columns * scale, rows * scale);
  canvas.dataset.marks = marks;
  parent.append(el("figure", {}, el("figcaption", {}, name), canvas));
}

function plane(d) {
  const [xs, ys] = d.x, [xr, yr] = d.range;
  const dots = (g, w, h, points, color) => {
    g.fillStyle = color;
    for (const [x, y] of points) g.fillRect((x - xr[0]) / (xr[1] - xr[0]) * w - 1, h - (y - yr[0]) / (yr[1] - yr[0]) * h - 1, 2.5, 2.5);
  };
  const h = bandwidth(d.real, 2, [xs[1] - xs[0], ys[1] - ys[0]]), p = density(d.real, 2, h), q = density(d.fake, 2, h);
  const pair = el("div", {class: "pair"});
  panel("The plane: blue real, red fake", true).append(pair);
  heat(pair, "samples", xs.length, ys.length, () => 0.5, (g, w, h) => {
    dots(g, w, h, d.real, "rgba(26,82,217,0.7)");
    dots(g, w, h, d.fake, "rgba(219,33,38,0.7)");
  });
  heat(pair, "D(x), learned", xs.length, ys.length, (i, j) => d.d[j * xs.length + i]);
  heat(pair, "optimal D, p/(p+q), densities by kernels", xs.length, ys.length, (i, j) => {
    const a = p([xs[i], ys[j]]), b = q([xs[i], ys[j]]);
    return a + b > few(d, h) ? a / (a + b) : NaN;
  });
}

// What `forger eval` left: a histogram of classes if there is one, and every number in a table.
function evaluation(e) {
  const rows = [], histograms = {};
  (function walk(value, name) {
    if (Array.isArray(value)) {
      if (value.length > 1 && value.length <= 64 && value.every(v => typeof v === "number") && /class|hist/.test(name)) histograms[name] = value;
    } else if (value && typeof value === "object") {
      for (const [k, v] of Object.entries(value)) walk(v, name ? `${name}.${k}` : k);
    } else if (typeof value === "number" || typeof value === "string") {
      rows.push([name, typeof value === "number" ? short(value) : value]);
    }
  })(e, "");
  for (const [name, values] of Object.entries(histograms)) {
    if (name.startsWith("real_")) continue;  // stands beside the samples' own
    classes(`Classes (${name})`, values, histograms["real_" + name]);
  }
  // "floor.x" is what real samples get where the generated ones have "x".
  const floors = Object.fromEntries(rows.filter(r => r[0].startsWith("floor.")).map(r => [r[0].slice(6), r[1]]));
  const kept = rows.filter(r => !r[0].startsWith("floor.")).map(r => [...r, floors[r[0]] ?? ""]);
  const line = (tag, cells) => el("tr", {}, ...cells.map(c => el(tag, {}, c)));
  if (kept.length) panel("Evaluation").append(el("table", {}, line("th", ["", "samples", "real"]), ...kept.map(r => line("td", r))));
}

function hyperparameters() {
  const box = el("div", {class: "columns"});
  for (const [name, value] of Object.entries(data.config)) box.append(el("div", {}, el("span", {class: "dim"}, name), el("span", {}, String(value))));
  panel("Hyperparameters", true).append(box);
}

function commands() {
  const path = location.protocol === "file:" ? decodeURIComponent(location.pathname).replace(/\/[^/]*$/, "") : "RUN";
  const run = /^[\w./-]+$/.test(path) ? path : "'" + path.replaceAll("'", "'\\''") + "'";
  const box = panel("Take it from here", true), steps = data.config.steps;
  const add = (what, command) => box.append(el("p", {class: "dim"}, what), el("pre", {}, command));
  add("go on training", data.step < steps ? `forger train --resume ${run}` : `forger train --resume ${run} --steps ${2 * steps}`);
  add("make samples", `forger sample ${run} --count 64 --out samples.png`);
  if (data.kind === "images") add("walk through latent space", `forger walk ${run} --out walk`);
  add("take it elsewhere", `forger export ${run} --format onnx --out generator.onnx`);
}

document.getElementById("title").textContent = `${data.config.recipe}, step ${data.step} of ${data.config.steps}`;
document.getElementById("about").textContent = `${data.config.data ?? data.config.distribution}; batch ${data.config.batch}, seed ${data.config.seed}`;
verdict();
losses();
evaluations();
samples();
if (data.distribution) (data.distribution.range.length === 1 ? line : plane)(data.distribution);
if (data.evaluation) evaluation(data.evaluation);
for (const key of Object.keys(data.series)) if (!drawn.has(key)) curves(key, {[key]: key});
hyperparameters();
commands();
document.body.dataset.ready = document.querySelectorAll(".plot").length;
