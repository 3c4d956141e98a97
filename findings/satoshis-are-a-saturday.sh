#!/usr/bin/env bash
# A ledger's "sat" is Saturday the 6th of January of the year 1 to csvkit, member May is the 1st of May, calls at one cent have no sum, and $5, €5 and ¥500 are 510.
#
# Seen 2026-12-01 with Debian's csvkit 1.0.7-1 and python3-agate 1.6.3-2, which it reads with, no options set.
# Expected: what looks at CSV finds out which columns are numbers, and leaves words as they are. csvkit tries booleans first, then numbers, durations and dates, and text last, and rewrites what it has read. A column
# with nothing but 0 and 1 in it, the cents of small calls, is true and false, and has no sum. A number may have a currency's sign or a "%", which is taken off, so that three currencies add up.
# "sat", which is what satoshis are counted in, is read as a day of the week, and a member as a month, if all of the members of the file are called so: a join of the usage with the limits, where there is an Ada as well, is
# empty, since dates are on one side and names on the other. "4m" tokens are four minutes. All of it goes by what is in a file: one more member, or a call at two cents, and the same columns are text and numbers, so that a script which
# was tried with a month's file is wrong with that of a day. csvcut and csvgrep, which find out nothing, show the file as it is, and so the fault isn't seen there.
# Whoever hands usage over as CSV has to say "-I" to each of csvkit's programs, or put the unit into the column's name and amounts into integers with more than one digit.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download csvkit=1.0.7-1 python3-csvkit=1.0.7-1 python3-agate=1.6.3-2 python3-agatesql python3-agatedbf python3-agateexcel python3-babel python-babel-localedata python3-dbfread \
	python3-isodate python3-leather python3-openpyxl python3-et-xmlfile python3-jdcal python3-olefile python3-parsedatetime python3-pytimeparse python3-six python3-slugify \
	python3-unidecode python3-sqlalchemy python3-greenlet python3-tz python3-xlrd python3-pkg-resources
for package in ./*.deb; do dpkg -x "$package" root; done
dpkg-deb -W --showformat '${Package} ${Version}\n' csvkit_*.deb
dpkg-deb -W --showformat '${Package} ${Version}\n' python3-agate_*.deb
export PYTHONPATH=$tmp/root/usr/lib/python3/dist-packages PYTHONWARNINGS=ignore PYTHONUTF8=1
csv() { python3 "$tmp/root/usr/bin/$1" "${@:2}"; }

cat >usage.csv <<'CSV'
member,cents,paid,unit,tokens
May,1,$5.00,sat,4m
June,0,€5.00,sat,30m
May,1,¥500,sat,1h
CSV
cat >limits.csv <<'CSV'
member,limit
May,10
June,20
Ada,30
CSV
sed 's/^May,1/May,2/' usage.csv >dearer.csv
{
	echo 'csvcut'; csv csvcut usage.csv
	echo 'csvsort'; csv csvsort -c paid usage.csv
	echo 'csvstat --sum'; csv csvstat --sum usage.csv
	echo 'csvstat --sum, a call at two cents'; csv csvstat --sum -c cents dearer.csv
	echo 'csvsql'; csv csvsql -i postgresql usage.csv
	echo 'csvjoin'; csv csvjoin -c member usage.csv limits.csv
	echo 'csvjoin -I'; csv csvjoin -I -c member usage.csv limits.csv
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
csvcut
member,cents,paid,unit,tokens
May,1,$5.00,sat,4m
June,0,€5.00,sat,30m
May,1,¥500,sat,1h
csvsort
member,cents,paid,unit,tokens
0001-05-01,True,5.00,0001-01-06,0:04:00
0001-06-01,False,5.00,0001-01-06,0:30:00
0001-05-01,True,500,0001-01-06,1:00:00
csvstat --sum
  1. member: None
  2. cents: None
  3. paid: 510
  4. unit: None
  5. tokens: 1:34:00
csvstat --sum, a call at two cents
4
csvsql
CREATE TABLE usage (
	member DATE NOT NULL, 
	cents BOOLEAN NOT NULL, 
	paid DECIMAL NOT NULL, 
	unit DATE NOT NULL, 
	tokens INTERVAL NOT NULL
);
csvjoin
member,cents,paid,unit,tokens,limit
csvjoin -I
member,cents,paid,unit,tokens,limit
May,1,$5.00,sat,4m,10
June,0,€5.00,sat,30m,20
May,1,¥500,sat,1h,10
SEEN
