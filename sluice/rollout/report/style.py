"""How the page looks: a column of text, drawings beside each other where there is room, light or dark."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--ink:#1d2329;--soft:#5b6670;--line:#d8dde2;--paper:#fff;--card:#f6f8fa;
--good:#00694a;--bad:#a63a00}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ec;--soft:#9aa5b0;--line:#343b43;--paper:#14181c;--card:#1c2127;
--good:#4fd1a0;--bad:#ff9b62}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:70rem;margin:0 auto;
padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.2rem;margin:2rem 0 .5rem}h2 small{color:var(--soft);font-weight:400;
font-size:.85rem}
a{color:inherit}ul{padding-left:1.2rem}li{margin:.25rem 0}.small{color:var(--soft);font-size:.875rem;margin:.4rem 0}
.verdicts{list-style:none;padding:0}.verdicts li{display:flex;flex-wrap:wrap;align-items:baseline;gap:.1rem .7rem;
margin:.5rem 0}.verdicts a{min-width:5rem;font-weight:600}.verdicts span:last-child{flex:1 1 18rem}
.badge{border:1px solid currentColor;border-radius:1rem;padding:0 .6rem;font-size:.8rem;color:var(--soft);
white-space:nowrap}.badge.good{color:var(--good)}.badge.bad{color:var(--bad);font-weight:600}
.missing{border-left:4px solid var(--bad);background:var(--card);padding:.1rem 1rem .6rem}.missing h2{margin:.6rem 0 0}
.wide{overflow-x:auto;margin:.6rem 0}table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums;
overflow-wrap:normal}
th,td{padding:.3rem .55rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:600}td:first-child,th:first-child{text-align:left;padding-left:0}
.events,.gates{font-size:.9rem}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));gap:1rem;margin:1rem 0}
figure{margin:0;background:var(--card);border-radius:.5rem;padding:.7rem}svg{display:block;width:100%;height:auto}
details{margin:.6rem 0}summary{cursor:pointer;color:var(--soft)}
article{border-top:1px solid var(--line);padding:.3rem 0}article p{margin:.2rem 0}
blockquote{margin:.3rem 0;padding-left:.8rem;border-left:3px solid var(--line);color:var(--soft)}
@media print{details{display:block}body{max-width:none}}
""".replace("\n", "")
