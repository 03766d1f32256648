#!/usr/bin/env node
// usage: node check_script.mjs TOOLS FOLDER
// Uses the pages as a reader would, from file:, and fails when the script does not do its part.
// TOOLS holds node_modules with playwright-core.
import assert from 'node:assert/strict';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [tools, folder] = process.argv.slice(2);
const { chromium } = createRequire(path.join(path.resolve(tools), 'package.json'))('playwright-core');
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const context = await browser.newContext({ timezoneId: 'Asia/Kolkata', colorScheme: 'light', permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  const open = (name) => page.goto(pathToFileURL(path.resolve(folder, name)).href);
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

  // Built on 23 November 2026 at 16:20 UTC; a quarter of an hour later it is fresh, two hours later stale.
  await page.clock.setFixedTime(new Date('2026-11-23T16:35:00Z'));
  await open('index.html');
  assert.equal(await page.locator('.stale').isVisible(), false, 'a fresh page says it is stale');
  assert.match(await page.locator('footer .run').textContent(), /9,812,334 lines/);
  await page.clock.setFixedTime(new Date('2026-11-23T18:21:00Z'));
  await open('index.html');
  assert.match(await page.locator('.stale').textContent(), /^This page is 2 h old/);
  assert.equal(await page.locator('.stale').isVisible(), true, 'a stale page does not say so');

  // Times: UTC, then the reader's zone, kept on the next page.
  assert.match(await page.locator('.built').textContent(), /Built 23 Nov 16:20/);
  await page.locator('#zone').click();
  assert.match(await page.locator('.built').textContent(), /Built 23 Nov 21:50/);
  await open('groups.html');
  assert.match(await page.locator('.built').textContent(), /Built 23 Nov 21:50/);
  await page.locator('#zone').click();
  assert.match(await page.locator('.built').textContent(), /Built 23 Nov 16:20/);

  // Theme: auto, light, dark, kept on the next page.
  const light = await background();
  await page.locator('#theme').click();
  assert.equal(await background(), light);
  await page.locator('#theme').click();
  const dark = await background();
  assert.notEqual(dark, light);
  await open('ingest.html');
  assert.equal(await background(), dark);
  assert.equal(await page.locator('#theme').textContent(), 'Theme: dark');

  // Filter: words in any order, and how many are left.
  await open('groups.html');
  const rows = page.locator('#groups tbody tr:visible');
  const all = await rows.count();
  await page.locator('#filter').fill('SPIKING payments-worker');
  assert.equal(await rows.count(), 1);
  assert.equal(await page.locator('.filter output').textContent(), `1 of ${all}`);
  await page.locator('#filter').fill('');
  assert.equal(await rows.count(), all);

  // Sort: numbers as numbers, the largest first, then the other way.
  const counts = async () => (await page.locator('#groups tbody td.count[data-v]').evaluateAll((cells) => cells.filter((cell) => !cell.classList.contains('w')).map((cell) => Number(cell.dataset.v))));
  const descending = (numbers) => [...numbers].sort((a, b) => b - a);
  const head = page.locator('#groups thead th', { hasText: 'Count' });
  await head.locator('button').click();
  assert.equal(await head.getAttribute('aria-sort'), 'descending');
  assert.deepEqual(await counts(), descending(await counts()));
  await head.locator('button').click();
  assert.deepEqual(await counts(), descending(await counts()).reverse());

  // Copy: the command of a group, from its page.
  await page.locator('#groups a.title').first().click();
  await page.locator('[data-copy="find-command"]').click();
  await page.locator('[data-copy="find-command"]', { hasText: 'Copied' }).waitFor();
  const id = path.basename(new URL(page.url()).pathname, '.html');
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), new RegExp(`^gzette search --group ${id} --since (24h|14d)$`));

  // Print: what the page says is there, the buttons are not.
  await page.emulateMedia({ media: 'print' });
  assert.equal(await page.locator('h1').isVisible(), true, 'the printed page is empty');
  assert.equal(await page.locator('button:visible').count(), 0);
} finally {
  await browser.close();
}
console.log('the script does its part');
