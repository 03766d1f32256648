// What the pages do beyond showing themselves: theme, time zone, stale banner, copying, filter and sort.
// Everything is readable without it. Text goes in by textContent alone.
(function () {
  'use strict';
  var root = document.documentElement, run = window.gzette || {};
  var MINUTE = 60000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
  var MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

  // A browser may refuse storage, for file: pages above all.
  function recall(key) { try { return localStorage.getItem('gzette-' + key); } catch (e) { return null; } }
  function keep(key, value) { try { localStorage.setItem('gzette-' + key, value); } catch (e) { /* not kept */ } }
  function all(selector, work) { Array.prototype.forEach.call(document.querySelectorAll(selector), work); }
  function two(number) { return (number < 10 ? '0' : '') + number; }

  root.classList.add('js');
  var theme = recall('theme');
  if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  var age = run.built ? Date.now() - run.built : 0;
  if (age > 2 * (run.refresh || 10) * MINUTE) root.classList.add('old');

  function span(ms) {
    if (ms < 2 * HOUR) return Math.floor(ms / MINUTE) + ' min';
    return ms < 2 * DAY ? Math.floor(ms / HOUR) + ' h' : Math.floor(ms / DAY).toLocaleString('en') + ' days';
  }
  function ago(at) {
    var gone = Date.now() - at;
    return gone < -MINUTE ? 'ahead of the clock' : gone < MINUTE ? 'just now' : span(gone) + ' ago';
  }

  // Times: the page has UTC in the text and the moment in `datetime`.
  function local(date, show) {
    var clock = two(date.getHours()) + ':' + two(date.getMinutes());
    if (show === 'clock' && date.toDateString() === new Date(run.built || Date.now()).toDateString()) return clock;
    var year = date.getFullYear(), day = date.getDate() + ' ' + MONTHS[date.getMonth()];
    if (show !== 'full') return day + (year < 2000 || year > 2099 ? ' ' + year : '') + ' ' + clock;
    var ahead = -date.getTimezoneOffset(), sign = ahead < 0 ? '-' : '+';
    ahead = Math.abs(ahead);
    return year + '-' + two(date.getMonth() + 1) + '-' + two(date.getDate()) + ' ' + clock + ':' + two(date.getSeconds()) +
      '.' + ('00' + date.getMilliseconds()).slice(-3) + ' ' + sign + two(Math.floor(ahead / 60)) + ':' + two(ahead % 60);
  }
  function showTimes(zone) {
    all('time[data-show]', function (time) {
      if (!time.dataset.utc) time.dataset.utc = time.textContent;
      time.textContent = zone === 'local' ? local(new Date(time.dateTime), time.dataset.show) : time.dataset.utc;
    });
  }

  function frame() {
    var zone = recall('zone') === 'local' ? 'local' : 'utc', built = document.querySelector('.built');
    var zoneButton = document.getElementById('zone'), themeButton = document.getElementById('theme');
    if (run.built && built) {
      var date = new Date(run.built), time = document.createElement('time');
      time.dateTime = date.toISOString();
      time.dataset.show = 'minute';
      time.textContent = date.getUTCDate() + ' ' + MONTHS[date.getUTCMonth()] + ' ' + two(date.getUTCHours()) + ':' + two(date.getUTCMinutes());
      built.append('Built ', time);
      document.querySelector('.stale').textContent = 'This page is ' + span(age) + ' old. The refresh runs every ' +
        (run.refresh || 10) + ' minutes: see the ingest page or run gzette status.';
    }
    if (run.run) {
      var line = document.querySelector('footer .run');
      if (line) line.textContent = run.run;
    }
    function zoneIs() { zoneButton.textContent = zone === 'local' ? 'Local time' : 'UTC'; showTimes(zone); }
    function themeIs() { themeButton.textContent = 'Theme: ' + (root.dataset.theme || 'auto'); }
    zoneButton.addEventListener('click', function () {
      zone = zone === 'local' ? 'utc' : 'local';
      keep('zone', zone);
      zoneIs();
    });
    themeButton.addEventListener('click', function () {
      var next = { auto: 'light', light: 'dark', dark: 'auto' }[root.dataset.theme || 'auto'];
      if (next === 'auto') delete root.dataset.theme; else root.dataset.theme = next;
      keep('theme', next);
      themeIs();
    });
    zoneIs();
    themeIs();
    all('[data-ago]', function (node) { node.textContent = ago(Number(node.dataset.ago)); });
  }

  // The clipboard is closed to pages served by plain http; the old way is open there.
  function copy(text) {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    var area = document.createElement('textarea');
    area.className = 'sr';
    area.value = text;
    document.body.append(area);
    area.select();
    var done = document.execCommand('copy');
    area.remove();
    return done ? Promise.resolve() : Promise.reject(new Error('refused'));
  }
  function copies() {
    all('button[data-copy]', function (button) {
      var label = button.textContent;
      button.addEventListener('click', function () {
        var source = document.getElementById(button.dataset.copy).cloneNode(true);
        source.querySelectorAll('summary').forEach(function (summary) { summary.remove(); });
        function say(word) {
          button.textContent = word;
          setTimeout(function () { button.textContent = label; }, 1500);
        }
        copy(source.textContent.trim()).then(function () { say('Copied'); }, function () { say('Not allowed here'); });
      });
    });
  }

  function filter() {
    var input = document.querySelector('input[data-filter]');
    if (!input) return;
    var rows = Array.from(document.querySelectorAll('#' + input.dataset.filter + ' tbody tr'));
    var texts = rows.map(function (row) { return row.textContent.toLowerCase(); }), output = document.querySelector('.filter output');
    function apply() {
      var words = input.value.toLowerCase().split(/\s+/).filter(Boolean), shown = 0;
      rows.forEach(function (row, place) {
        var fits = words.every(function (word) { return texts[place].includes(word); });
        row.hidden = !fits;
        if (fits) shown += 1;
      });
      output.textContent = words.length ? shown + ' of ' + rows.length : '';
    }
    input.addEventListener('input', apply);
    apply();
  }

  function sort() {
    all('th[data-sort]', function (head) {
      var button = document.createElement('button'), number = head.dataset.sort === 'number';
      button.type = 'button';
      button.append.apply(button, Array.from(head.childNodes));
      head.append(button);
      button.addEventListener('click', function () {
        var body = head.closest('table').tBodies[0], column = head.cellIndex, now = head.getAttribute('aria-sort');
        var up = now ? now === 'descending' : !number;
        all('th[aria-sort]', function (other) { other.removeAttribute('aria-sort'); });
        head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        var rows = Array.from(body.rows).map(function (row) {
          var cell = row.cells[column];
          return { row: row, key: number ? Number(cell.dataset.v) : cell.textContent.trim().toLowerCase() };
        });
        rows.sort(function (a, b) { return (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) * (up ? 1 : -1); });
        body.append.apply(body, rows.map(function (entry) { return entry.row; }));
      });
    });
  }

  document.addEventListener('DOMContentLoaded', function () { frame(); copies(); filter(); sort(); });
})();
