/** How a report looks: on a screen in light and dark, on a telephone, and on paper. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --ground: #ffffff; --raised: #f5f7fa; --text: #1a2230; --muted: #4d5869; --line: #d5dbe4; --link: #0b4f9c;
  --yes: #0b6b3a; --no: #a3161d; --warn: #7a4d00; --wrong: #fdf0ef; --bar: #b9c9de; }
@media (prefers-color-scheme: dark) { :root { --ground: #12161d; --raised: #1b212b; --text: #e4e9f1; --muted: #a9b4c4; --line: #333c4a; --link: #8fc1ff;
  --yes: #63d69d; --no: #ff9c96; --warn: #f2c464; --wrong: #33201f; --bar: #3d5270; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--text); background: var(--ground); max-width: 66rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; overflow-wrap: break-word; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0; } h2 { font-size: 1.25rem; margin: 2.75rem 0 .75rem; padding-bottom: .3rem; border-bottom: 2px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .4rem; } h4 { font-size: 1rem; margin: 0; }
p { margin: .4rem 0 .8rem; } a { color: var(--link); } ul { margin: .3rem 0 1rem; padding-left: 1.3rem; } li { margin: .15rem 0; }
code { font: .9em ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; }
.muted { color: var(--muted); } .yes { color: var(--yes); } .no { color: var(--no); } .warn { color: var(--warn); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; padding: 0; margin: 1rem 0 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: .8rem; list-style: none; padding: 0; margin: 1.5rem 0 1rem; }
.card { border: 1px solid var(--line); border-left: 5px solid currentColor; border-radius: 6px; padding: .7rem .9rem; background: var(--raised); margin: 0; }
.card > * { color: var(--text); margin: 0; } .card strong { display: block; font-size: 1.3rem; color: inherit; } .card p { font-size: .88rem; margin-top: .25rem; }
.counts { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; list-style: none; padding: 0; } .counts b { font-variant-numeric: tabular-nums; }
.notice { border-left: 5px solid var(--warn); background: var(--raised); padding: .6rem .9rem; }
.finding { border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem; margin: 0 0 1rem; }
.finding .remedy { background: var(--raised); padding: .5rem .8rem; margin: .6rem 0 0; border-radius: 4px; }
summary { cursor: pointer; color: var(--muted); padding: .2rem 0; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 1rem; font-size: .93em; } caption { text-align: left; color: var(--muted); padding: .2rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; } thead th { color: var(--muted); font-weight: 600; font-size: .85rem; vertical-align: bottom; } tbody th { font-weight: 600; }
th.group { padding-top: 1rem; } td.short { white-space: nowrap; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.wrong td { background: var(--wrong); } tr.wrong td:first-child { box-shadow: -6px 0 var(--wrong); } tr.missing td { color: var(--muted); }
.bar { display: block; height: 4px; margin-top: 2px; background: var(--bar); margin-left: auto; width: calc(var(--share) * 100%); }
dl { display: grid; grid-template-columns: 10rem 1fr; gap: .3rem 1rem; margin: .6rem 0; } dt { color: var(--muted); } dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
@media screen and (max-width: 44rem) {
  body { padding: 1.25rem 1rem 3rem; } h1 { font-size: 1.4rem; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .6rem; } .finding { padding: .7rem .75rem; }
  table.stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  td, th { padding-right: .5rem; } td.number, th.number { white-space: normal; }
  table.stack, table.stack caption, table.stack tbody, table.stack tr, table.stack td, table.stack th { display: block; }
  table.stack tr { border-bottom: 1px solid var(--line); padding: .45rem 0; } table.stack td, table.stack th { border: 0; padding: .05rem 0; white-space: normal; text-align: left; overflow-wrap: anywhere; }
  table.stack td[data-label]::before { content: attr(data-label) ": "; color: var(--muted); } table.stack td:empty { display: none; }
  table.stack tr.wrong { background: var(--wrong); box-shadow: -6px 0 var(--wrong), 6px 0 var(--wrong); }
}
@media print {
  :root { color-scheme: light; --ground: #fff; --raised: #fff; --text: #000; --muted: #444; --line: #bbb; --link: #000; --yes: #0b6b3a; --no: #a3161d; --warn: #7a4d00; --wrong: #f6eeee; --bar: #ccc; }
  @page { size: A4; margin: 16mm 15mm 18mm; @bottom-right { content: "Page " counter(page) " of " counter(pages); font: 8pt sans-serif; color: #444; } }
  body { max-width: none; padding: 0; font-size: 9.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; } nav, details { display: none; } a { text-decoration: none; }
  h1 { font-size: 18pt; } h2 { font-size: 13pt; margin-top: 1.6rem; break-after: avoid; } h3, h4 { break-after: avoid; } thead { display: table-header-group; }
  th, td { padding-right: .6rem; }
  tr, .card, .notice, .remedy, .counts, dl { break-inside: avoid; } .short-finding { break-inside: avoid; } .cards { grid-template-columns: repeat(2, 1fr); }
}
`;
