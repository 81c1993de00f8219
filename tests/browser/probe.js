"use strict";
// Runs inside a copy of report.html, behind the page's own script: looks at what the browser has really drawn and moves the
// slider as a reader would. Leaves {plots, pictures, problems} in the data-probe of the body.
(async () => {
  const problems = [];
  const check = (good, what) => { if (!good) problems.push(what); };
  const title = node => node.closest(".panel").querySelector("h2").textContent;
  const inside = (box, frame) => box.left >= frame.left - 2 && box.right <= frame.right + 2 && box.top >= frame.top - 2 && box.bottom <= frame.bottom + 2;

  const plots = [...document.querySelectorAll(".plot")];
  for (const plot of plots) {
    const name = title(plot);
    check(Number(plot.dataset.marks) > 0, `${name}: empty`);
    if (plot.tagName === "CANVAS") {
      const pixels = new Uint32Array(plot.getContext("2d").getImageData(0, 0, plot.width, plot.height).data.buffer);
      check(new Set(pixels).size > 1, `${name}: one colour`);
      continue;
    }
    const box = plot.getBoundingClientRect(), drawn = [...plot.querySelectorAll("path.line, rect:not(.frame)")];
    check(box.width > 200 && box.height > 80, `${name}: ${box.width} x ${box.height} pixels`);
    check(drawn.length > 0, `${name}: no line and no bar`);
    check(drawn.some(d => d.tagName === "rect" ? d.height.baseVal.value > 0 : d.getTotalLength() > 0), `${name}: nothing to see`);
    for (const d of drawn) check(inside(d.getBoundingClientRect(), box), `${name}: leaves its frame`);
    check(plot.querySelectorAll("line.rule").length > 1, `${name}: an axis without numbers`);
    const texts = [...plot.querySelectorAll("text")].map(t => ({text: t.textContent, box: t.getBoundingClientRect()}));
    for (const [i, a] of texts.entries()) {
      check(inside(a.box, plot.closest(".panel").getBoundingClientRect()), `${name}: '${a.text}' leaves its panel`);
      check(!/NaN|Infinity|undefined|null/.test(a.text), `${name}: says '${a.text}'`);
      for (const b of texts.slice(i + 1)) {
        const across = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
        const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
        check(across < 1 || down < 3, `${name}: '${a.text}' lies on '${b.text}'`);
      }
    }
  }

  const shown = async image => {
    if (!image.complete) await new Promise(done => image.onload = image.onerror = done);  // decode() waits for a frame, which may never come here
    return image.naturalWidth > 0;
  };
  for (const image of document.querySelectorAll("img")) check(await shown(image), `the picture '${image.alt}' does not load`);
  const slider = document.querySelector("input[type=range]"), image = document.getElementById("sample");
  const data = JSON.parse(document.getElementById("data").textContent), seen = new Set();
  check(Number(slider.max) === data.pictures.length - 1, "the slider has another length than the list of pictures");
  for (let i = 0; i < data.pictures.length; ++i) {
    slider.value = i;
    slider.dispatchEvent(new Event("input", {bubbles: true}));
    check(await shown(image), `slider at ${i}: no picture`);
    check(image.closest("figure").textContent.includes(`step ${data.pictures[i].step}`), `slider at ${i}: the wrong step below it`);
    seen.add(image.src);
  }
  check(seen.size > 1, "the slider always shows the same picture");

  const page = document.documentElement;
  check(page.scrollWidth <= page.clientWidth, `the page is ${page.scrollWidth} wide, the window ${page.clientWidth}`);
  check(!/NaN|undefined/.test(document.body.innerText), "there is NaN or undefined in the text");
  document.body.dataset.probe = JSON.stringify({plots: plots.map(title), pictures: seen.size, problems});
})();
