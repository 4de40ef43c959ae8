"""Make data/wind_farm.csv.xz, the book's sensor table, from the published measurements.

The input is `la_haute_borne.zip`, or the wheel `openoa-3.2-py3-none-any.whl` that carries it:

    python -m pip download --no-deps openoa==3.2
    python data/extract_wind_farm.py openoa-3.2-py3-none-any.whl

The chapter `data-sheet` says what the table holds, where it comes from and what is wrong with it.
"""

import argparse
import hashlib
import io
import os
import sys
import zipfile
from pathlib import Path

import pandas as pd

ARCHIVE_SHA256 = "be5ea66a3355286e491f5618250dc83e85252a8cb337748d7ba19edc50df6138"
MEMBER_OF_WHEEL = "examples/data/la_haute_borne.zip"
MEMBER_OF_ARCHIVE = "la-haute-borne-data-2014-2015.csv"
TABLE = Path(__file__).with_name("wind_farm.csv.xz")
# The source's column names, and ours, in the order of the table's columns.
SENSORS = {
    "Ws_avg": "wind_speed",
    "P_avg": "power",
    "Ba_avg": "pitch_angle",
    "Ot_avg": "outdoor_temperature",
    "Wa_avg": "wind_direction",
    "Ya_avg": "nacelle_direction",
    "Va_avg": "vane_position",
}


def read_measurements(path):
    """Return the measurements as they were published, one row per turbine and ten minutes.

    Parameters
    ----------
    path : Path
        The archive `la_haute_borne.zip`, or the wheel that contains it.

    Returns
    -------
    DataFrame, shape (n_turbines * n_times, 2 + n_sensors)
        Columns `Wind_turbine_name` and `Date_time` (text), then one per sensor (float64).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the archive is not byte for byte the one that the table was made from.
    """
    content = path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as wheel:
            if MEMBER_OF_WHEEL in wheel.namelist():
                content = wheel.read(MEMBER_OF_WHEEL)
    digest = hashlib.sha256(content).hexdigest()
    if digest != ARCHIVE_SHA256:
        raise ValueError(
            f"{path}: the archive's sha256 is {digest}, expected {ARCHIVE_SHA256}. "
            "Download openoa 3.2 again and pass the wheel or its la_haute_borne.zip."
        )
    with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(MEMBER_OF_ARCHIVE) as file:
        return pd.read_csv(file)


def hourly_table(measurements):
    """Return the full hours of 2014, one column per turbine and sensor.

    Of two rows of one turbine with the same time the first is kept.
    The source stores two decimals in single precision (92.9 as 92.900002); rounding to two decimals undoes that.

    Parameters
    ----------
    measurements : DataFrame
        As `read_measurements` returns them.

    Returns
    -------
    DataFrame, shape (n_hours, n_turbines * n_sensors)
        Columns such as `wind_speed_R80711`, grouped by turbine; the index, named `time`, is in UTC.
    """
    time = pd.to_datetime(measurements["Date_time"], utc=True)
    hours = measurements.assign(time=time)[(time.dt.year == 2014) & (time.dt.minute == 0)]
    hours = hours.drop_duplicates(["Wind_turbine_name", "time"])
    table = hours.pivot(index="time", columns="Wind_turbine_name", values=list(SENSORS))
    order = [(sensor, turbine) for turbine in table.columns.levels[1] for sensor in SENSORS]
    table = table[order].round(2)
    table.columns = [f"{SENSORS[sensor]}_{turbine}" for sensor, turbine in order]
    return table


def write_table(table, path):
    """Write `table` to `path` as CSV compressed with xz: all of it or, if interrupted, nothing."""
    unfinished = path.with_name("unfinished-" + path.name)
    try:
        table.to_csv(
            unfinished, date_format="%Y-%m-%dT%H:%MZ", lineterminator="\n", compression={"method": "xz", "preset": 9}
        )
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def main(arguments=None):
    """Run the extraction from the command line."""
    parser = argparse.ArgumentParser(description="Make the wind-farm table from the published measurements.")
    parser.add_argument("archive", type=Path, help="la_haute_borne.zip, or the wheel of openoa 3.2 that contains it")
    parser.add_argument("--output", type=Path, default=TABLE, help="where to write the table (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        table = hourly_table(read_measurements(options.archive))
        write_table(table, options.output)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        sys.exit(f"extract_wind_farm: {error}")
    print(f"{options.output.name}: {table.shape[0]:,} rows, {table.shape[1]} columns")


if __name__ == "__main__":
    main()
