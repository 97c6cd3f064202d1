'use strict';

/* A heat map of labels x time as a table, so that it can be read without seeing it. */
const Timeline = (() => {
  const MAX_COLUMNS = 64;
  const MAX_ROWS = 12;
  const MARKS = 4;

  const clock = (seconds) => {
    const whole = Math.floor(seconds / 60);
    return whole ? `${whole}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`
      : `${seconds.toFixed(1)} s`;
  };

  /* Neighbouring windows are joined where there are more than fit; the largest counts. */
  function columns(windows) {
    const size = Math.ceil(windows.length / MAX_COLUMNS);
    const found = [];
    for (let i = 0; i < windows.length; i += size) {
      const last = Math.min(i + size, windows.length) - 1;
      found.push({ from: i, to: last + 1, start: windows[i].start, end: windows[last].end });
    }
    return found;
  }

  function axis(end) {
    const row = document.createElement('div');
    row.className = 'axis';
    row.setAttribute('aria-hidden', 'true');
    for (let i = 0; i <= MARKS; i += 1) {
      const mark = document.createElement('span');
      mark.textContent = clock(end * i / MARKS);
      mark.style.left = `${100 * i / MARKS}%`;
      row.append(mark);
    }
    return row;
  }

  /* result: as the API gives it; onTime(seconds, label): a cell was chosen. */
  function draw(place, result, picked, onTime) {
    const parts = columns(result.windows);
    const table = document.createElement('table');
    table.className = 'heat';
    const names = document.createElement('colgroup');
    names.append(document.createElement('col'));
    names.firstChild.className = 'names';
    table.append(names);
    const body = table.createTBody();
    for (const tag of result.tags.slice(0, MAX_ROWS)) {
      const row = body.insertRow();
      row.classList.toggle('picked', tag.label === picked);
      const head = document.createElement('th');
      head.scope = 'row';
      head.textContent = head.title = tag.label;
      head.addEventListener('click', () => onTime(null, tag.label));
      row.append(head);
      for (const part of parts) {
        const p = Math.max(...tag.timeline.slice(part.from, part.to));
        const cell = row.insertCell();
        cell.style.setProperty('--p', `${(100 * p).toFixed(1)}%`);
        const what = `${clock(part.start)}–${clock(part.end)}: ${Math.round(100 * p)} %`;
        cell.title = `${tag.label}, ${what}`;
        cell.setAttribute('aria-label', what);
        cell.addEventListener('click', () => onTime(part.start, tag.label));
      }
    }
    place.replaceChildren(table, axis(parts[parts.length - 1].end));
  }

  return { draw, clock };
})();
