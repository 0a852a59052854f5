// Sorts and filters tables, and switches between light and dark. The page says everything without it.
"use strict";
(() => {
  const number = (text) => {
    const found = text.replace(/[\u2212]/g, "-").replace(/,(?=\d{3})/g, "").match(/^[^\d+-]{0,12}([+-]?\d*\.?\d+)/);
    return found ? Number(found[1]) : NaN;
  };

  const BARE = /^[+\u2212-]?[\d,]*\.?\d+(\s?%)?$/;
  const said = (text) => text !== "" && !text.startsWith("not ");
  // A name with digits (code15, xresnet1d101) is a name: only a column of numbers is sorted as numbers.
  const ofNumbers = (heading, texts) => heading.classList.contains("n")
    || texts.filter((text) => BARE.test(text)).length > texts.filter(said).length / 2;

  const compare = (left, right, numbers) => (numbers ? number(left) - number(right) : left.localeCompare(right, "en"));

  // What is empty, and among numbers what is not one, stays below, whichever way a column is sorted.
  const ordered = (rows, text, numbers, way) => {
    const empty = (row) => text(row) === "" || (numbers && (!said(text(row)) || Number.isNaN(number(text(row)))));
    const full = rows.filter((row) => !empty(row));
    full.sort((one, other) => way * compare(text(one), text(other), numbers));
    return [...full, ...rows.filter(empty)];
  };

  const sortable = (table) => {
    const body = table.tBodies[0];
    const asMade = [...body.rows];
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: "none" }[heading.getAttribute("aria-sort")] ?? "ascending";
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        const text = (row) => row.cells[column].textContent.trim();
        let rows = asMade;
        if (next !== "none") {
          heading.setAttribute("aria-sort", next);
          rows = ordered(asMade, text, ofNumbers(heading, asMade.map(text)), next === "ascending" ? 1 : -1);
        }
        table.classList.toggle("sorted", next !== "none");
        body.append(...rows);
      });
    });
  };

  const filterable = (table) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    const count = document.createElement("output");
    input.type = "search";
    label.className = "filter";
    label.append("Rows with ", input, " ", count);
    table.parentElement.before(label);
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase();
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = wanted ? `${shown} of ${table.tBodies[0].rows.length}` : "";
    });
  };

  for (const table of document.querySelectorAll("figure.table table")) {
    if (table.tBodies[0].rows.length > 1) sortable(table);
    if (table.tBodies[0].rows.length > 20) filterable(table);
  }

  const root = document.documentElement;
  const dark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const theme = document.createElement("button");
  theme.type = "button";
  theme.id = "theme";
  const say = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; say(); });
  say();
  document.querySelector("header").prepend(theme);

  addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("details.data")) folded.open = true;
  });
})();
