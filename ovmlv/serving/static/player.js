'use strict';

/* The video of a hit, from the server. */
const Player = (() => {
  const own = { hit: null, onClose: () => {} };
  const player = () => $('watch-player');

  function complain(message) {
    $('watch-error').textContent = message || '';
    $('watch-error').hidden = !message;
    player().hidden = Boolean(message);
  }

  /* A player tells nothing of the reason, but the server does. */
  async function explain() {
    const { hit } = own;
    if (!hit || !player().getAttribute('src')) return;
    let message = `This browser cannot play ${hit.name}. Its pictures and times are right.`;
    try {
      const answer = await fetch(hit.file, { headers: { Range: 'bytes=0-0' } });
      const text = answer.ok ? '' : await answer.text();
      if (!answer.ok) ({ message } = sentence(answer.status, text));
    } catch {
      ({ message } = unreachable());
    }
    if (own.hit === hit) complain(message);
  }

  /* Called by a click, so that browsers allow it to play with sound. */
  function play(hit) {
    const same = own.hit && own.hit.file === hit.file && $('watch-error').hidden;
    own.hit = hit;
    complain('');
    $('watch').hidden = false;
    $('watched').textContent = $('watched').title = hit.name;
    $('watched-at').textContent = (hit.start === null ? '' : `${Timeline.clock(hit.start)} to `
      + `${Timeline.clock(hit.end)}, `) + percent(hit.probability);
    $('watched-path').textContent = hit.video;
    if (!same) player().src = hit.file;
    // Before anything has arrived, it is where playing will begin.
    player().currentTime = hit.start || 0;
    player().play().catch(() => {});
  }

  function pause() {
    player().pause();
  }

  function close() {
    own.hit = null;
    player().pause();
    player().removeAttribute('src');
    player().load(); // which lets the connection go
    complain('');
    $('watch').hidden = true;
    own.onClose();
  }

  player().addEventListener('error', explain);
  $('watch-close').addEventListener('click', close);

  return { play, pause, close, onClose: (act) => { own.onClose = act; } };
})();
