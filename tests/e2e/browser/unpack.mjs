// Unpacks the Chromium that the package carries into node_modules/chromium, once.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const place = join(import.meta.dirname, 'node_modules', 'chromium');
mkdirSync(place, { recursive: true });
process.env.TMPDIR = place;
// The package adds its own copies of the libraries that a bare machine lacks only where it takes itself to be in Lambda.
process.env.AWS_EXECUTION_ENV = 'AWS_Lambda_nodejs22.x';
const { default: chromium } = await import('@sparticuz/chromium');
await chromium.executablePath();

// Its own font, and those of the system where there are any.
writeFileSync(join(place, 'fonts.conf'), `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="relative">fonts-cache</cachedir>
</fontconfig>
`);
