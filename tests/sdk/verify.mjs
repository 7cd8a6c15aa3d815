// Verifies each case of standard input with the library, and prints which of them held.
import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';

const cases = JSON.parse(readFileSync(0, 'utf8'));
const held = ({ secret, headers, body }) => {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
};
console.log(JSON.stringify(Object.fromEntries(Object.entries(cases).map(([name, each]) => [name, held(each)]))));
