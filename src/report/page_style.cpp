#include "report/page_style.h"

namespace raven::report {

const std::string_view kStyle = R"css(
:root{color-scheme:light dark;--bg:#f6f7f8;--card:#fff;--ink:#1b2026;--soft:#56606b;--line:#d8dce1;--grid:#e8ebee;
--accent:#1a64a8;--good:#1a7045;--unclear:#7d5200;--bad:#b3261e;--bar:#d5e5f5;--sub:#ffeab8;--del:#fcdad7;--ins:#d8e8fb;
--c0:#1a6cb3;--c1:#c2441c;--c2:#1b7d58;--c3:#8449b0;--c4:#8f5f00;--c5:#b02a78;--c6:#2f7a8c;--c7:#555d66}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--card:#1c2126;--ink:#e6e9ec;--soft:#a3adb8;--line:#363d45;--grid:#2a3037;
--accent:#7db8f0;--good:#6fcf9b;--unclear:#e3b45a;--bad:#ff8f86;--bar:#24415c;--sub:#574413;--del:#5d2926;--ins:#1f4468;
--c0:#6cb0ee;--c1:#f0865c;--c2:#57c79b;--c3:#c39be6;--c4:#dcae4a;--c5:#ef82b8;--c6:#7fc3d4;--c7:#b3bac2}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;
overflow-wrap:anywhere}
main,header{max-width:1640px;margin:0 auto;padding:0 clamp(10px,2vw,28px)}
header{padding-top:18px}
h1{font-size:1.45rem;margin:0 0 2px;unicode-bidi:isolate}
h2{font-size:1.15rem;margin:30px 0 10px;padding-top:6px}
h3{font-size:1rem;margin:18px 0 8px}
h4{font-size:.95rem;margin:0;unicode-bidi:isolate}
p{margin:4px 0}
small,.soft{color:var(--soft)}
small{font-size:.82rem}
a{color:var(--accent)}
code,.mono{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;font-size:.9em;unicode-bidi:isolate}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin:10px 0 14px;padding:7px 0;border-block:1px solid var(--line)}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 14px;min-width:0}
.runs{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:12px}
.verdict{font-size:1.05rem;margin:8px 0}
.mood{font-weight:700}
.good{color:var(--good)}.unclear{color:var(--unclear)}.bad{color:var(--bad)}
.found{margin:6px 0 0;padding-left:1.2em}
.found li{margin:2px 0}
.key{display:flex;flex-wrap:wrap;gap:4px 26px;margin:8px 0}
.key div{min-width:0}
.key dt,.key dd{margin:0}
.key dt{font-size:.8rem;color:var(--soft)}
.key dd{font-size:1.15rem;font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));gap:12px}
.tables{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,430px),1fr));gap:12px;align-items:start}
.beside{display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start}
.beside>*{flex:1 1 330px;max-width:100%}
.beside>.card{flex:3 1 620px}
.gap-above{margin-top:12px}
figure{margin:0}
.chart{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 12px;min-width:0}
figcaption b{display:block}
figcaption small{display:block;min-height:1.2em}
svg.plot{display:block;width:100%;height:auto;margin-top:4px}
svg text{fill:var(--soft);font-size:11px}
svg path{fill:none;stroke:var(--line);stroke-width:1}
svg .grid{stroke:var(--grid)}
svg .zero{stroke:var(--soft);stroke-dasharray:2 3}
svg .tick{stroke:var(--soft)}
svg .cursor{stroke:var(--soft);stroke-dasharray:3 2}
polyline{fill:none;stroke:currentColor;stroke-width:1.7;stroke-linejoin:round}
polygon.band{fill:currentColor;opacity:.16}
circle{fill:currentColor}
circle.ring{fill:none;stroke:#fff;stroke-width:1.6}
.dash{stroke-dasharray:6 3}
.c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}
.c4{color:var(--c4)}.c5{color:var(--c5)}.c6{color:var(--c6)}.c7{color:var(--c7)}
output{display:block;min-height:1.3em;font-size:.8rem;color:var(--soft);white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 14px;margin:2px 0 4px;padding:0;font-size:.84rem}
.legend li{color:var(--ink)}
.legend i{display:inline-block;width:16px;height:0;border-top:3px solid currentColor;vertical-align:middle;margin-right:5px}
.legend i.dash{border-top-style:dashed}
.scroll{overflow-x:auto;max-width:100%}
.scroll:focus-visible,summary:focus-visible,a:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding:2px 0 4px}
th,td{padding:3px 12px 3px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid);font-weight:400;
overflow-wrap:normal;unicode-bidi:isolate}
td.long,th.long{overflow-wrap:anywhere;min-width:10em}
thead th{color:var(--soft);border-bottom-color:var(--line);white-space:nowrap}
.n{text-align:right;white-space:nowrap}
.bar{background:linear-gradient(90deg,var(--bar) calc(var(--v)*1%),transparent 0);background-size:calc(100% - 12px) 100%;
background-repeat:no-repeat;min-width:84px}
.best{font-weight:700}
details{margin:2px 0}
summary{cursor:pointer;color:var(--accent);font-size:.86rem;padding:2px 0}
details.block{margin:14px 0}
details.block>summary{font-size:1rem;font-weight:600;color:var(--ink)}
details.block>summary small{font-weight:400}
pre{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:6px;padding:10px;font-size:.8rem;max-height:60vh}
.worst{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,520px),1fr));gap:12px}
.utterance header{display:flex;flex-wrap:wrap;gap:2px 12px;align-items:baseline;padding:0;max-width:none;margin:0}
.utterance .rate{font-weight:700;font-size:1.1rem}
.why{margin:6px 0;padding-left:1.1em}
.why li:first-child{font-weight:600}
.words{display:flex;flex-wrap:wrap;gap:4px;margin:8px 0;padding:0;list-style:none}
.words li{display:flex;flex-direction:column;padding:1px 6px;border-radius:4px;border:1px solid transparent;unicode-bidi:isolate;min-width:0}
.words .S{background:var(--sub)}.words .D{background:var(--del)}.words .I{background:var(--ins)}
.words .S span:first-child,.words .D span:first-child{text-decoration:line-through;text-decoration-thickness:1px}
.words .gap{color:inherit}
.marks{font-size:.84rem;margin:4px 0 10px}
.marks span{padding:1px 6px;border-radius:4px;margin-right:8px;white-space:nowrap}
.marks .S{background:var(--sub)}.marks .D{background:var(--del)}.marks .I{background:var(--ins)}
.crops img{display:block;height:76px;width:auto;max-width:none;border-radius:4px}
.attention svg{display:block;min-width:600px;width:100%;max-width:1100px;height:auto}
.attention image{image-rendering:pixelated}
.vh{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
footer{margin:34px 0 20px;color:var(--soft);font-size:.82rem}
@media(max-width:520px){body{font-size:14px}.key{gap:4px 18px}}
@media print{body{background:#fff}nav,output{display:none}}
)css";

const std::string_view kScript = R"js("use strict";
for (const plot of document.querySelectorAll("svg.plot")) {
  const numbers = (text) => text.split(" ").map(Number);
  const x = numbers(plot.dataset.x), y = numbers(plot.dataset.y);
  const output = plot.parentElement.querySelector("output");
  const lines = [...plot.querySelectorAll("polyline")].map((line) => ({
    name: line.dataset.name,
    points: line.getAttribute("points").trim().split(" ").map((point) => point.split(",").map(Number)),
  }));
  const cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
  cursor.setAttribute("class", "cursor");
  plot.append(cursor);
  const value = (axis, pixel) => axis[0] + (pixel - axis[2]) / (axis[3] - axis[2]) * (axis[1] - axis[0]);
  const text = (v) => plot.dataset.percent ? (100 * v).toFixed(1) + " %" : String(+v.toPrecision(4));
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * plot.viewBox.baseVal.width;
    let nearest = null;
    const found = lines.map((line) => {
      const point = line.points.reduce((a, b) => Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a);
      if (!nearest || Math.abs(point[0] - at) < Math.abs(nearest - at)) nearest = point[0];
      return line.name + " " + text(value(y, point[1]));
    });
    cursor.setAttribute("d", "M" + nearest + " " + y[3] + "V" + y[2]);
    output.textContent = plot.dataset.label + " " + +value(x, nearest).toPrecision(5) + ": " + found.join(", ");
  });
  plot.addEventListener("pointerleave", () => {
    cursor.removeAttribute("d");
    output.textContent = "";
  });
}
)js";

const std::string_view kScriptHash = "0icCf8yKUQ0f3TigH96Y7xPDC8S1sDqN6fLgz0Oqccg=";

}  // namespace raven::report
