"""How the page looks: on a phone and on a desk, by day and by night, and printed. Nothing in it is fetched."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --back: #fff; --card: #f5f6f8; --text: #1b1f24; --dim: #59636e; --rule: #d5dae0;
  --link: #0a58ca; --work: #1f7a4d; --boot: #3b6fb5; --restart: #b35c00; --redone: #c0282d; --leaving: #737d88;
  --against: #737d88; --s0: #1f6fb5; --s1: #b35c00; --s2: #7a3fa0; --s3: #1f7a4d; --s4: #b0256b; --s5: #5f6b00; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14171a; --card: #1e2328; --text: #e8eaed; --dim: #a3adb8; --rule: #3a424b; --link: #7db4ff;
    --work: #46b57d; --boot: #6ea3ea; --restart: #eb9a45; --redone: #f2686c; --leaving: #8f9aa6; --against: #a3adb8;
    --s0: #6ea3ea; --s1: #eb9a45; --s2: #bf8ae0; --s3: #46b57d; --s4: #ee74ac; --s5: #b9c24a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere; }
main, header, footer { max-width: 80rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1rem; } footer { padding-bottom: 2rem; color: var(--dim); font-size: .9rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0; } h2 { font-size: 1.3rem; margin: 0 0 .5rem; }
p { margin: .3rem 0; } a { color: var(--link); } .dim, .note { color: var(--dim); font-size: .9rem; }
section { border-top: 1px solid var(--rule); margin-top: 1.5rem; padding-top: 1.5rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .6rem; margin: .8rem 0; }
dl div { background: var(--card); border-radius: .5rem; padding: .5rem .75rem; }
dt { color: var(--dim); font-size: .85rem; } dd { margin: 0; font-size: 1.2rem; font-weight: 600; }
dd small { display: block; font-size: .85rem; font-weight: 400; color: var(--dim); }
figure { margin: 1.2rem -.5rem; padding: 0 .5rem; min-width: 0; overflow: hidden; }
figcaption, caption { font-weight: 600; text-align: left; padding: .2rem 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: 0 1.5rem; }
svg.figure { display: block; overflow: visible; max-width: 100%; }
text { font: 12px system-ui, sans-serif; fill: var(--dim); }
text.label { fill: var(--text); }
text.label, text.value { paint-order: stroke; stroke: var(--back); stroke-width: 3px; }
text.inside { fill: var(--back); text-anchor: middle; font-weight: 600; pointer-events: none; }
.grid { stroke: var(--rule); stroke-width: 1; }
.work { fill: var(--work); } .boot { fill: var(--boot); } .restart { fill: var(--restart); }
.redone { fill: var(--redone); } .leaving { fill: var(--leaving); }
path.taken { fill: var(--redone); }
.line { fill: none; vector-effect: non-scaling-stroke; stroke-width: 1.5; stroke-linejoin: round; }
.own { stroke: var(--s0); stroke-width: 3; } .against { stroke: var(--against); stroke-dasharray: 5 4; }
.seen { opacity: .8; }
.s0 { stroke: var(--s0); } .s1 { stroke: var(--s1); } .s2 { stroke: var(--s2); } .s3 { stroke: var(--s3); }
.s4 { stroke: var(--s4); } .s5 { stroke: var(--s5); }
.key { display: flex; flex-wrap: wrap; gap: .1rem 1rem; list-style: none; margin: .4rem 0; padding: 0;
  font-size: .85rem; }
.mark { vertical-align: -1px; flex: none; }
.scroll { overflow-x: auto; max-width: 100%; margin: 1.2rem 0; }
.scroll:focus-visible { outline: 2px solid var(--link); }
table { border-collapse: collapse; font-size: .9rem; } .scroll table { overflow-wrap: normal; }
th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--rule); vertical-align: top;
  white-space: nowrap; }
thead th { color: var(--dim); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 400; } tfoot { font-weight: 600; }
td:last-child:not(.number) { white-space: normal; min-width: 9rem; max-width: 30rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
@media print {
  html { font-size: 10px; } text { font-size: 10px; } body { font-size: 1rem; }
  .scroll { overflow: visible; } th, td { white-space: normal; }
  figure, dl div, tr { break-inside: avoid; } h2 { break-after: avoid; } * { print-color-adjust: exact; } }
"""
