'use strict';

/* The two tabs. The address says which one is open (#find, #find=words), so that a link leads there. */
(() => {
  const NAMES = ['tag', 'find'];
  const tab = (name) => $(`tab-${name}`);

  function show(name) {
    for (const other of NAMES) {
      tab(other).setAttribute('aria-selected', String(other === name));
      tab(other).tabIndex = other === name ? 0 : -1;
      $(`panel-${other}`).hidden = other !== name;
    }
    if (name === 'find') Find.open();
    else Player.pause();
  }

  function follow() {
    const [, name, words] = /^#(find)(?:=(.*))?$/.exec(window.location.hash) || [null, 'tag'];
    show(name);
    if (words) {
      try {
        Find.look(decodeURIComponent(words));
      } catch { /* half a sign: no words */ }
    }
  }

  function choose(name) {
    window.history.replaceState(null, '', name === 'find' ? '#find' : window.location.pathname);
    show(name);
  }

  NAMES.forEach((name, i) => {
    tab(name).addEventListener('click', () => choose(name));
    tab(name).addEventListener('keydown', (event) => {
      if (!['ArrowLeft', 'ArrowRight', 'Home', 'End'].includes(event.key)) return;
      event.preventDefault();
      const other = event.key === 'Home' ? 'tag' : event.key === 'End' ? 'find' : NAMES[1 - i];
      choose(other);
      tab(other).focus();
    });
  });
  window.addEventListener('hashchange', follow);
  follow();
})();
