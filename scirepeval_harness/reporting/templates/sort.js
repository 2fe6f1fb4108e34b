"use strict";
// Paper cannot be clicked: print what is folded, too.
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) {
    folded.open = true;
  }
});
// Tables are sorted by a click on a column's name: numbers first, what is missing last.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const table = head.closest("table");
    const body = table.tBodies[0];
    const column = head.cellIndex;
    const text = head.dataset.kind === "text";
    // Numbers start with the largest, names with the first letter.
    const first = text ? "ascending" : "descending";
    const second = text ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? second : first;
    const sign = order === "ascending" ? 1 : -1;
    const value = (row) => row.cells[column].dataset.sort;
    const rows = Array.from(body.rows);
    rows.sort((a, b) => {
      if (text) {
        return sign * a.cells[column].textContent.trim().localeCompare(
          b.cells[column].textContent.trim(), "en", { numeric: true });
      }
      const [left, right] = [value(a), value(b)];
      if (left === undefined || right === undefined) {
        return (left === undefined) - (right === undefined);
      }
      return sign * (Number(left) - Number(right));
    });
    for (const other of head.parentElement.cells) {
      other.removeAttribute("aria-sort");
    }
    head.setAttribute("aria-sort", order);
    body.append(...rows);
  });
}
