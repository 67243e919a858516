// Unpacks the Chromium that the package carries into node_modules/chromium, once.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const place = join(import.meta.dirname, 'node_modules', 'chromium');
mkdirSync(place, { recursive: true });
process.env.TMPDIR = place;
// The package adds its own copies of the libraries that a bare machine lacks only where it takes itself to be in Lambda.
process.env.AWS_EXECUTION_ENV = 'AWS_Lambda_nodejs22.x';
const { default: chromium } = await import('@sparticuz/chromium');
await chromium.executablePath();
